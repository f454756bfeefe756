import type { Block } from './sandbox.state.ts';

type Text = { type: string; text: string } | undefined;

const outside = (text: Text, kinds: readonly string[], most: number): boolean =>
  !text ||
  !kinds.includes(text.type) ||
  typeof text.text !== 'string' ||
  text.text.length < 1 ||
  text.text.length > most;

const ANY = ['mrkdwn', 'plain_text'];

function sectionProblems(block: Block, where: string): string[] {
  const problems: string[] = [];
  if (block.text === undefined && block.fields === undefined) problems.push(`missing required field: ${where}/text`);
  if (block.text !== undefined && outside(block.text, ANY, 3000))
    problems.push(`must be less than 3001 characters [json-pointer:${where}/text/text]`);
  if (block.fields !== undefined && (block.fields.length < 1 || block.fields.length > 10))
    problems.push(`no more than 10 items allowed [json-pointer:${where}/fields]`);
  for (const [index, field] of (block.fields ?? []).entries()) {
    if (outside(field, ANY, 2000))
      problems.push(`must be less than 2001 characters [json-pointer:${where}/fields/${index}/text]`);
  }
  return problems;
}

function actionProblems(block: Block, where: string): string[] {
  const elements = block.elements ?? [];
  const problems: string[] = [];
  if (elements.length < 1 || elements.length > 25)
    problems.push(`no more than 25 items allowed [json-pointer:${where}/elements]`);
  if (new Set(elements.map((element) => element.action_id)).size !== elements.length)
    problems.push(`action_id already exists in this block [json-pointer:${where}/elements]`);
  for (const [index, element] of elements.entries()) {
    const here = `${where}/elements/${index}`;
    if (element.type !== 'button') problems.push(`unsupported type: ${element.type} [json-pointer:${here}/type]`);
    if (outside(element.text, ['plain_text'], 75))
      problems.push(`must be less than 76 characters [json-pointer:${here}/text/text]`);
    if ((element.action_id ?? '').length > 255)
      problems.push(`must be less than 256 characters [json-pointer:${here}/action_id]`);
    if ((element.value ?? '').length > 2000)
      problems.push(`must be less than 2001 characters [json-pointer:${here}/value]`);
    if (element.url !== undefined && !/^https?:\/\/.{1,2990}$/.test(element.url))
      problems.push(`invalid url [json-pointer:${here}/url]`);
  }
  return problems;
}

/** What the vendor would find wrong with blocks, in its way of saying it. */
export function invalidBlocks(blocks: readonly Block[]): string[] {
  if (blocks.length > 50) return ['no more than 50 items allowed [json-pointer:/blocks]'];
  return blocks.flatMap((block, index) => {
    const where = `/blocks/${index}`;
    if (block.type === 'section') return sectionProblems(block, where);
    if (block.type === 'actions') return actionProblems(block, where);
    return [`unsupported type: ${block.type} [json-pointer:${where}/type]`];
  });
}
