export const comparable = (value: string | null | undefined): number => {
  if (value === null || value === undefined) return Number.NEGATIVE_INFINITY;
  const number = Number(value);
  return Number.isNaN(number) ? Date.parse(value) : number;
};

export function matches(
  record: { properties: Record<string, string | null> },
  filter: { propertyName: string; operator: string; value?: string; values?: string[] },
): boolean {
  const value = record.properties[filter.propertyName];
  switch (filter.operator) {
    case 'EQ':
      return (
        value !== null &&
        value !== undefined &&
        (value === filter.value || (!Number.isNaN(comparable(value)) && comparable(value) === comparable(filter.value)))
      );
    case 'NEQ':
      return value !== filter.value;
    case 'GTE':
      return comparable(value) >= comparable(filter.value);
    case 'GT':
      return comparable(value) > comparable(filter.value);
    case 'LTE':
      return comparable(value) <= comparable(filter.value);
    case 'LT':
      return comparable(value) < comparable(filter.value);
    case 'IN':
      return filter.values?.includes(value ?? '') ?? false;
    case 'HAS_PROPERTY':
      return value !== null && value !== undefined && value !== '';
    default:
      return false;
  }
}
