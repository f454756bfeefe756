import { TemplateError } from './render.ts';

/** `Dear ,`: a greeting whose name came to nothing, such as by `default: ""`. */
const EMPTY_GREETING = /^[\p{L}’' ]{2,40} ,/u;

/**
 * A written text that may go out.
 * @throws TemplateError when it is empty, or greets nobody
 */
export function whole(text: string, where: string): string {
  const trimmed = text.trim();
  if (trimmed === '') throw new TemplateError(`${where} is empty for this customer`);
  const greeting = trimmed.split('\n')[0]!;
  if (EMPTY_GREETING.test(greeting))
    throw new TemplateError(`the greeting of ${where} names nobody ("${greeting.trim().slice(0, 60)}")`);
  return trimmed;
}
