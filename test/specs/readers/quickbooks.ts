import { type HttpOperation, httpSpec, type Parameter } from '../http.ts';
import type { Schema } from '../normalise.ts';
import { Schemas } from '../schemas.ts';
import type { Spec } from '../spec.ts';
import { readXsd } from './xsd.ts';

/** Entities read and written at an address of their own. The schemas have no addresses; these are from the dossier. */
const ENTITIES = [
  ...['Customer', 'Invoice', 'Payment', 'CreditMemo', 'SalesReceipt', 'RefundReceipt', 'Estimate', 'TimeActivity'],
  ...['Item', 'Term', 'Employee', 'Class', 'Department', 'RecurringTransaction', 'CompanyInfo', 'Attachable'],
];
/** The schema files of the vendor's folder. */
export const QUICKBOOKS_FILES = [
  'Finance.xsd',
  'IntuitBaseTypes.xsd',
  'IntuitNamesTypes.xsd',
  'IntuitRestServiceDef.xsd',
  'Report.xsd',
  'SalesTax.xsd',
];

/** What a person can be mailed. */
const SENDABLE = ['Invoice', 'Estimate', 'Payment', 'CreditMemo', 'SalesReceipt'];

const query = (name: string, schema: Schema = { type: 'string' }, required = false): Parameter => ({
  name,
  in: 'query',
  required,
  schema,
  separator: '',
});
const MINOR = query('minorversion', { type: 'integer' });
const REQUEST_ID = query('requestid', { type: 'string', maxLength: 50 });
const INCLUDE = query('include', { type: 'string', enum: ['invoiceLink'] });

/** Intuit's XML schemas as a description of the calls QuickBooks Online takes in JSON. */
export function quickBooks(name: string, files: readonly string[]): Spec {
  const { document } = readXsd(files);
  const base = '/v3/company/{realmId}';
  const answer = { content: { 'application/json': { schema: { $ref: '#/elements/IntuitResponse' } } } };
  const responses = { default: answer };
  const get = (path: string, ...parameters: Parameter[]): HttpOperation => ({
    method: 'GET',
    template: `${base}/${path}`,
    read: () => ({ parameters: [MINOR, ...parameters], responses }),
  });
  const write = (entity: string): HttpOperation => ({
    method: 'POST',
    template: `${base}/${entity.toLowerCase()}`,
    read: () => ({
      parameters: [MINOR, REQUEST_ID, INCLUDE, query('operation', { enum: ['delete', 'void', 'update'] })],
      body: { required: true, content: { 'application/json': { schema: { $ref: `#/elements/${entity}` } } } },
      responses,
    }),
  });
  const send = (entity: string): HttpOperation => ({
    method: 'POST',
    template: `${base}/${entity.toLowerCase()}/{id}/send`,
    read: () => ({ parameters: [MINOR, REQUEST_ID, query('sendTo')], responses }),
  });
  const operations: HttpOperation[] = [
    get('query', query('query', { type: 'string' }, true), INCLUDE),
    get('cdc', query('entities', { type: 'string' }, true), query('changedSince', { format: 'date-time' }, true)),
    ...ENTITIES.map((entity) => get(`${entity.toLowerCase()}/{id}`, INCLUDE)),
    ...ENTITIES.map(write),
    ...SENDABLE.map(send),
  ];
  return httpSpec(name, operations, new Schemas(document));
}
