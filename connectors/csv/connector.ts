import { Type } from 'typebox';
import { defineConnector } from '../../src/kit/index.ts';
import { csvFiles } from './files.ts';
import { streams } from './streams.ts';

export default defineConnector({
  id: 'csv',
  name: 'CSV files',
  category: 'files',
  hosts: {},
  auth: { kind: 'none', fields: Type.Object({}, { additionalProperties: false }), secret: [], features: {} },
  // There is nobody to ask. Mappings with a name of their own get a connection of their own when they are imported.
  account: async () => ({ id: 'files', name: 'Files' }),
  limits: [],
  errors: { rules: [] },
  streams,
  actions: [],
  files: csvFiles,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Import with the command "rapport import" or over HTTP; a mapping file says what the columns mean, otherwise they are guessed by their names.',
    'Files that come from different systems need mappings with different names, so that their ids are kept apart.',
    'A row that is missing from a newer file is not taken for deleted.',
  ],
});
