import { defineSink } from '#sdk/index.ts';
import { HttpSinkSettings, plainHttpWarnings } from './settings.ts';
import { createHttpSink } from './write.ts';

export default defineSink({
  type: 'http',
  version: '1.0.0',
  title: 'Any HTTP endpoint: one signed request per event',
  stability: 'beta',
  settings: HttpSinkSettings,
  warnings: plainHttpWarnings,
  create: createHttpSink,
});
