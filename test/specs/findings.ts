import type AjvCompiler from '@fastify/ajv-compiler';
import { type Finding, isRecord, shown } from './spec.ts';

export type Ajv = Parameters<NonNullable<NonNullable<Parameters<AjvCompiler.BuildCompilerFromPool>[1]>['onCreate']>>[0];
export type Validate = ReturnType<Ajv['compile']>;
type ValidationError = NonNullable<Validate['errors']>[number];

const placeOf = (error: ValidationError, at: string): string =>
  at +
  error.instancePath
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');

/** Errors of the validator as findings. Of a choice of forms, what keeps the value from the nearest one is told. */
export function findingsOf(errors: readonly ValidationError[], at: string, ajv: Ajv): Finding[] {
  const choices = new Map<string, ValidationError>();
  // An outer choice of the same place is told after the inner one.
  for (const error of errors) if (error.keyword === 'anyOf') choices.set(error.instancePath, error);
  const isBelow = (place: string, { instancePath }: ValidationError): boolean =>
    instancePath === place || instancePath.startsWith(`${place}/`);
  const places = [...choices.keys()];
  const outer = [...choices.values()].filter((one) => places.filter((place) => isBelow(place, one)).length === 1);
  const plain = errors.filter((error) => error.keyword !== 'if' && !places.some((place) => isBelow(place, error)));
  return [
    ...plain.map((error) => toFinding(error, placeOf(error, at))),
    ...outer.flatMap((choice) => nearest(choice, placeOf(choice, at), ajv)),
  ];
}

/** How far a value is from a form: a value of another kind is further than any number of wrong members. */
function distance(errors: readonly ValidationError[]): number {
  const weigh = ({ keyword, instancePath }: ValidationError): number => {
    if (keyword === 'type' && instancePath === '') return 1000;
    // A word that says which form is meant.
    return ['const', 'enum'].includes(keyword) && instancePath.split('/').length === 2 ? 50 : 1;
  };
  return errors.reduce((sum, error) => sum + weigh(error), 0);
}

function nearest(choice: ValidationError, at: string, ajv: Ajv): Finding[] {
  const forms = (choice.schema as Record<string, unknown>[]).map((form) => {
    const validate = ajv.compile(form);
    validate(choice.data);
    return validate.errors ?? [];
  });
  const [best = []] = forms.toSorted((one, other) => distance(one) - distance(other));
  if (best.length > 0 && distance(best) < 1000) return findingsOf(best, at, ajv);
  const types = forms.flatMap((errors) => errors.filter(({ keyword }) => keyword === 'type'));
  const wanted = [...new Set(types.flatMap(({ params }) => params.type as string | string[]))].join(' or ');
  return [{ at, says: `must be ${wanted || 'of one of the forms described'}`, value: shown(choice.data) }];
}

function toFinding(error: ValidationError, at: string): Finding {
  const value = shown(error.data);
  const { params } = error;
  switch (error.keyword) {
    case 'required':
      return { at: `${at}.${params.missingProperty}`, says: 'is missing' };
    case 'type':
      return { at, says: `must be ${[params.type].flat().join(' or ')}`, value };
    case 'enum':
      return { at, says: `must be one of ${params.allowedValues.join(', ')}`.slice(0, 160), value };
    case 'const':
      return { at, says: `must be ${shown(params.allowedValue)}`, value };
    default:
      return { at, says: error.message ?? error.keyword, ...(isRecord(error.data) ? {} : { value }) };
  }
}
