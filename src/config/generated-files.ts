// The committed files that are written from the schema, so that the script and the drift test compare the same text.
import { weirJsonSchema, type MetadataSchemas } from './json-schema.ts';
import { configurationReference } from './reference.ts';
import type { SinkTypes } from './sink-settings.ts';

export interface GeneratedFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** Without schemas the metadata of each connector and the settings of each sink are any mapping. */
export function generatedFiles(
  metadataSchemas: MetadataSchemas = new Map(),
  sinkTypes: SinkTypes = new Map(),
): readonly GeneratedFile[] {
  return [
    {
      path: 'schema/weir.schema.json',
      text: `${JSON.stringify(weirJsonSchema(metadataSchemas, sinkTypes), undefined, 2)}\n`,
    },
    { path: 'docs/configuration.md', text: configurationReference(metadataSchemas, sinkTypes) },
  ];
}
