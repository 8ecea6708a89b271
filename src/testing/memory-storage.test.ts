import { describe } from 'vitest';
import { memoryHarness } from './memory-storage.ts';
import { storageSuite } from './storage-suite.ts';

describe('memory storage', () => {
  storageSuite(memoryHarness);
});
