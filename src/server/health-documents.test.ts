import { expect, test } from 'vitest';
import { worstOf } from './health-documents.ts';

test('health over several connectors is that of the worst, and no calls yet is no illness', () => {
  expect(worstOf(['healthy', 'unknown', 'down', 'degraded'])).toBe('down');
  expect(worstOf(['healthy', 'degraded'])).toBe('degraded');
  expect(worstOf(['unknown', 'healthy'])).toBe('healthy');
  expect(worstOf(['unknown'])).toBe('unknown');
  expect(worstOf([])).toBe('unknown');
});
