import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { shippedPlaybooks } from '../src/sequences/playbooks.ts';
import { classOf, type Playbook } from '../src/sequences/schema.ts';
import { LANGUAGES } from '../src/settings/schema.ts';
import { textProblems } from '../src/texts/check.ts';
import { write } from '../src/texts/liquid.ts';
import { exampleContext } from '../src/texts/variables.ts';

const FOLDER = fileURLToPath(new URL('../playbooks', import.meta.url));
const PLAYBOOKS = [...shippedPlaybooks()];

const KEYS = [
  'post-job',
  'maintenance-due',
  'warranty-expiring',
  'renewal',
  'overdue-chase',
  'payment-failed',
  'win-back',
  'vip-care',
  'birthday',
  'service-anniversary',
  'account-status',
  'promotion',
  'new-customer',
  'existing-customer',
];

test('playbook texts: every playbook of the catalogue ships, under its own key, described in words', () => {
  expect(PLAYBOOKS.map(([key]) => key).sort()).toEqual([...KEYS].sort());
  for (const [key, { sequence, description }] of PLAYBOOKS) {
    expect(sequence.key).toBe(key);
    expect(description, key).toMatch(/^.{80,700}\.\s*$/s);
  }
});

interface Text {
  where: string;
  key: string;
  playbook: Playbook;
  channel: string;
  locale: string;
  subject: string | undefined;
  body: string;
}
const TEXTS: Text[] = PLAYBOOKS.flatMap(([name, playbook]) =>
  Object.entries(playbook.templates).flatMap(([key, variants]) =>
    variants.map(({ channel, locale = 'en', subject, body }) => ({
      ...{ where: `${name}/${key} ${channel} ${locale}`, key, playbook, channel, locale, subject, body },
    })),
  ),
);

/** Texts that answer something the customer did a moment ago: nobody has to be told how to end them. */
const answers = ({ playbook, key }: Text): boolean =>
  (playbook.surveys ?? []).some(
    ({ answered }) => answered?.responder?.template === key || answered?.responder?.bad_template === key,
  );

test('playbook texts: each is there in every language on each channel its steps use, and nothing else is', () => {
  for (const [name, { sequence, templates, surveys = [] }] of PLAYBOOKS) {
    const used = new Map<string, Set<string>>();
    const use = (key: string, channels: readonly string[]): void => {
      used.set(key, new Set([...(used.get(key) ?? []), ...channels]));
    };
    for (const step of sequence.steps) {
      if ('message' in step) use(step.message.template, step.message.channels);
      if ('survey' in step) use(step.survey.template, step.survey.channels);
    }
    for (const { answered } of surveys)
      for (const key of [answered?.responder?.template, answered?.responder?.bad_template])
        if (key) use(key, answered!.responder!.channels);
    // Used by the engine itself when a payment and a reminder crossed.
    if (name === 'overdue-chase') use('chase-thanks', ['email']);
    const wanted = [...used].flatMap(([key, channels]) =>
      [...channels].flatMap((channel) => LANGUAGES.map((locale) => `${key} ${channel} ${locale}`)),
    );
    const there = Object.entries(templates).flatMap(([key, variants]) =>
      variants.map(({ channel, locale }) => `${key} ${channel} ${locale}`),
    );
    expect(there.sort(), name).toEqual(wanted.sort());
  }
});

test('playbook texts: each can be written from what is known, and says nothing nobody knows', () => {
  for (const { where, playbook, subject, body } of TEXTS) {
    const values = new Set(Object.keys(playbook.sequence.values ?? {}));
    for (const text of [body, subject ?? '']) expect(textProblems(text, 'customer', values), where).toEqual([]);
  }
  for (const [name, { sequence }] of PLAYBOOKS)
    for (const step of sequence.steps)
      if ('do' in step)
        for (const text of Object.values(step.do.input))
          if (typeof text === 'string') expect(textProblems(text), `${name}/${step.id}`).toEqual([]);
});

/** The text with a value for everything, and with nothing but the business and what it cannot do without. */
function written({ body, locale, playbook }: Text, sparse = false): string {
  const context = exampleContext('customer') as Record<string, Record<string, unknown>>;
  const values = Object.fromEntries(
    Object.keys(playbook.sequence.values ?? {}).map((name) => [
      name,
      name.startsWith('offer') && name !== 'offer_link' ? 'Spring check for 79 EUR.' : 'https://example.com/x',
    ]),
  );
  const bare = { ...context, customer: {}, owner: {}, job: {}, company: {}, business: { name: 'Keller Heating' } };
  return write(body, { ...(sparse ? bare : context), values, locale });
}

test('playbook texts: nobody is greeted as "null", and no hole is left where something is not known', () => {
  for (const text of TEXTS) {
    const bare = written(text, true);
    expect(bare, text.where).not.toMatch(/null|undefined|NaN|\(\)|""|„“|«\s*»| ,|\s\.(\s|$)|[{}]/);
    // French writes a blank before these, the others do not.
    if (text.locale !== 'fr') expect(bare, text.where).not.toMatch(/\p{L} [:!?;]/u);
  }
});

// GSM 03.38: what a text message carries in 160 characters, and those that count twice.
const GSM =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const TWICE = '^{}\\[~]|€';
function segments(text: string): number {
  const plain = [...text].every((letter) => GSM.includes(letter) || TWICE.includes(letter));
  if (!plain) return text.length <= 70 ? 1 : Math.ceil(text.length / 67);
  const length = [...text].reduce((sum, letter) => sum + (TWICE.includes(letter) ? 2 : 1), 0);
  return length <= 160 ? 1 : Math.ceil(length / 153);
}

test('playbook texts: a text message names the sender, takes at most two segments, and marketing says how to end it', () => {
  for (const text of TEXTS.filter(({ channel }) => channel === 'sms')) {
    const sent = written(text);
    expect(sent, text.where).toContain('Keller Heating');
    expect(segments(sent), `${text.where}: ${sent}`).toBeLessThanOrEqual(2);
    if (classOf(text.playbook.sequence) === 'marketing' && !answers(text)) expect(sent, text.where).toContain('STOP');
  }
});

test('playbook texts: customers are spoken to politely in each language', () => {
  const familiar: Record<string, RegExp> = {
    de: /(?<!\p{L})(du|dir|dich|dein\p{L}*|euch|euer|eure\p{L}*)(?!\p{L})/iu,
    fr: /(?<!\p{L})(tu|te|toi|ton|ta|tes)(?!\p{L})/iu,
    es: /(?<!\p{L})(tú|te|ti|tu|tus|vosotros|vuestr\p{L}*|quieres|puedes)(?!\p{L})/iu,
  };
  for (const { where, locale, subject = '', body } of TEXTS) {
    const words = `${subject} ${body}`.replaceAll(/\{[{%].*?[%}]\}/gs, ' ');
    if (familiar[locale]) expect(words, where).not.toMatch(familiar[locale]);
  }
});

test('playbook texts: what the owner has to fill in is empty when it ships, so that it holds the message', () => {
  for (const [name, { sequence }] of PLAYBOOKS)
    for (const [value, given] of Object.entries(sequence.values ?? {})) {
      expect(given, `${name}: ${value}`).toBe('');
      const file = readFileSync(path.join(FOLDER, `${name}.yaml`), 'utf8');
      expect(file, `${name}: ${value}`).toContain(`{{ values.${value} }}`);
    }
});

test('playbook texts: every playbook is tried by the clock', () => {
  const tried = readdirSync(path.join(FOLDER, 'tests')).map((file) => path.basename(file, '.yaml'));
  expect(tried.sort()).toEqual([...KEYS].sort());
});
