import { type FieldDescription, listAt, textAt, type VendorContext } from '../../src/kit/index.ts';
import { crm } from './version.ts';

const TYPES: Record<string, FieldDescription['type']> = {
  text: 'text',
  textarea: 'text',
  email: 'text',
  phone: 'text',
  website: 'text',
  autonumber: 'text',
  integer: 'number',
  bigint: 'number',
  double: 'number',
  currency: 'number',
  percent: 'number',
  boolean: 'boolean',
  date: 'date',
  datetime: 'datetime',
  picklist: 'enum',
  multiselectpicklist: 'list',
};

/**
 * The fields of a module with the values of their picklists. A record holds a value's `actual_value`; people see the
 * `display_value` (dossier, Pitfalls).
 */
export async function discoverFields(ctx: VendorContext, module: string): Promise<FieldDescription[]> {
  const { body } = await ctx.call({ method: 'GET', path: crm('settings/fields'), query: { module } });
  return listAt(body, 'fields').map((field) => {
    const name = textAt(field, 'api_name') ?? '';
    const options = listAt(field, 'pick_list_values').map((value) => ({
      value: textAt(value, 'actual_value') ?? '',
      label: textAt(value, 'display_value') ?? textAt(value, 'actual_value') ?? '',
    }));
    return {
      name,
      label: textAt(field, 'field_label') ?? textAt(field, 'display_label') ?? name,
      type: TYPES[textAt(field, 'data_type') ?? ''] ?? 'other',
      custom: textAt(field, 'custom_field') === 'true',
      ...(options.length > 0 ? { options } : {}),
    };
  });
}
