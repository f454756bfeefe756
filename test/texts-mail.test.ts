import { expect, test } from 'vitest';
import { compose, type TemplateText } from '../src/actions/compose.ts';
import { htmlProblem } from '../src/texts/mail.ts';
import { countSms } from '../src/texts/sms.ts';
import { exampleContext } from '../src/texts/variables.ts';

const foot =
  (links: { words: string; url: string }[] = []) =>
  (text: string) => ({
    text,
    html: { sender: 'Keller & Sons, 1 Market Street', links },
  });
const mail = (body: string, context: object = {}, more: Partial<TemplateText> = {}): { html: string; text: string } => {
  const template = { key: 'k', channel: 'email', locale: 'en', subject: 'Hi', body, native: null, ...more };
  const written = compose(template, { ...exampleContext('customer'), ...context }, foot());
  return { html: written.html!, text: written.text! };
};
/** The letter without the page around it. */
const letter = (body: string, context: object = {}): string =>
  /<td class="card"[^>]*>\n([\s\S]*)\n<\/td><\/tr>/.exec(mail(body, context).html)![1]!;

test('mail: paragraphs, lists, bold words and links are marks of a letter, in HTML and as plain text', () => {
  const body = [
    'Hello,\nthis is **very** good: https://a.example/x?a=1&b=2.',
    'We did:\n- one\n- **two**\n\n1. first\n2. second',
    '[Book now](https://b.example)',
    'or [call us](tel:+4930), [write](mailto:a@b.example)',
  ].join('\n\n');
  const html = letter(body);
  expect(html).toContain('<strong>very</strong> good: <a href="https://a.example/x?a=1&amp;b=2"');
  expect(html).toContain('>https://a.example/x?a=1&amp;b=2</a>.');
  expect(html).toMatch(/We did:<\/p>\n<ul [^>]*><li [^>]*>one<\/li><li [^>]*><strong>two<\/strong><\/li><\/ul>/);
  expect(html).toMatch(/<ol [^>]*><li [^>]*>first<\/li><li [^>]*>second<\/li><\/ol>/);
  expect(html).toMatch(/<td class="button"[^>]*><a href="https:\/\/b\.example" [^>]*>Book now<\/a>/);
  expect(html).toMatch(/<p [^>]*>or <a href="tel:\+4930"[^>]*>call us<\/a>, <a href="mailto:a@b\.example"/);
  expect(mail(body).text).toContain('this is very good: https://a.example/x?a=1&b=2.');
  expect(mail(body).text).toContain('Book now: https://b.example');
});

test('mail: what comes from a value acts as nothing, whatever stands in it', () => {
  const evil = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '[click](https://evil.example)',
    '**bold**',
    'https://evil.example/x',
    'javascript:alert(1)',
    '&lt;b&gt;',
    '\ue123\uf000 {{ customer.email }} {% if x %}',
    '- list\n- list',
  ];
  for (const name of evil) {
    const html = letter('Dear {{ customer.name }},\n\n{{ customer.name }}', { customer: { name } });
    const links = html.match(/<(a|img|script|strong|ol)\b/g);
    expect(links, name).toBeNull();
    const shown = html
      .replace(/<[^>]+>/g, '')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&');
    expect(shown, name).toContain(name.replace(/[\ue000-\uf8ff]/g, '').split('\n')[0]);
    expect(mail('Dear {{ customer.name }}', { customer: { name } }).text).toContain(
      name.replace(/[\ue000-\uf8ff]/g, '').split('\n')[0],
    );
  }
  // An author may say where a link leads; a value may not make a script of it.
  expect(
    letter('[x]({{ customer.custom.page }})', { customer: { custom: { page: 'javascript:alert(1)' } } }),
  ).not.toContain('<a');
  expect(letter('[x]({{ customer.custom.page }})', { customer: { custom: { page: 'https://a.example' } } })).toContain(
    'href="https://a.example"',
  );
});

test('mail: links the business made stay links, and its own values may carry marks', () => {
  const html = letter('Pay: {{ invoice.url }}\n\n[Pay]({{ payment.link }})\n\n{{ values.offer }}', {
    values: { offer: '**10%** at https://shop.example' },
  });
  expect(html).toContain('Pay: <a href="https://pay.example.com/R-1042"');
  expect(html).toContain('class="button"');
  expect(html).toContain('<strong>10%</strong> at <a href="https://shop.example"');
});

test('mail: the page carries language, direction, width, a first line for the list, the dark and the foot', () => {
  const { html } = mail('Hello Ann,\n\nyour pump is ready.', {}, { locale: 'ar-EG' });
  expect(html).toMatch(/^<!doctype html>\n<html lang="ar-EG" dir="rtl">/);
  expect(html).toContain('max-width:600px');
  expect(html).toContain('role="presentation"');
  expect(html).toContain('prefers-color-scheme:dark');
  expect(html).toMatch(/mso-hide:all">your pump is ready\.<\/div>/);
  expect(html).toContain('Keller &amp; Sons, 1 Market Street');
  expect(mail('Hi', {}, { subject: 'a <b> & "c"' }).html).toContain('<title>a &lt;b&gt; &amp; &quot;c&quot;</title>');
  const written = compose(
    { key: 'k', channel: 'email', locale: 'de', subject: 'x', body: 'y', native: null },
    exampleContext('customer'),
    foot([{ words: 'Abmelden', url: 'https://hub.example/u/1' }]),
  );
  expect(written.html).toMatch(/<a href="https:\/\/hub\.example\/u\/1"[^>]*>Abmelden<\/a>/);
  // Every element that is opened is closed.
  const open: string[] = [];
  for (const [, end, tag] of html.replace(/<!--[\s\S]*?-->/g, '').matchAll(/<(\/?)([a-z]+)[^>]*>/g))
    if (!['meta', 'br'].includes(tag!)) end ? expect(open.pop()).toBe(tag) : open.push(tag!);
  expect(open).toEqual([]);
});

test('mail: a page of one’s own stays as it is, with values escaped and the foot put in', () => {
  const own = { html: '<html><body><h1>{{ customer.name }}</h1><a href="{{ booking.link }}">x</a></body></html>' };
  const { html } = mail('plain', { customer: { name: '<b>Ann</b> & "Co"' } }, own);
  expect(html).toContain(
    '<h1>&lt;b&gt;Ann&lt;/b&gt; &amp; &quot;Co&quot;</h1><a href="https://cal.example.com/keller">',
  );
  expect(html).toMatch(/Keller &amp; Sons[^<]*<\/div><\/body><\/html>$/);
  expect(mail('plain', {}, { html: '<p>part</p>' }).html).toMatch(/class="card"[^>]*>\n<p>part<\/p>/);
  expect(() =>
    mail(
      'x',
      { customer: { custom: { a: 'javascript:alert(1)' } } },
      { html: '<a href="{{ customer.custom.a }}">x</a>' },
    ),
  ).toThrow('links to "javascript:alert(1)"');
  expect(htmlProblem('<p onclick="x()">')).toContain('mail programs do not allow');
  expect(htmlProblem('<script src="x">')).toContain('<script');
  expect(htmlProblem('<a href=" javascript:x">')).toContain('links to');
  expect(htmlProblem('<p>It is on = off</p><a href="https://x.example">once = twice</a>')).toBeUndefined();
});

test('sms: parts are counted as the networks do', () => {
  const count = (text: string): unknown[] => {
    const { encoding, units, segments, left } = countSms(text);
    return [encoding, units, segments, left];
  };
  expect(count('')).toEqual(['GSM-7', 0, 1, 160]);
  expect(count('a'.repeat(160))).toEqual(['GSM-7', 160, 1, 0]);
  expect(count('a'.repeat(161))).toEqual(['GSM-7', 161, 2, 145]);
  expect(count('a'.repeat(306))).toEqual(['GSM-7', 306, 2, 0]);
  expect(count('a'.repeat(307))).toEqual(['GSM-7', 307, 3, 152]);
  expect(count('€'.repeat(80))).toEqual(['GSM-7', 160, 1, 0]);
  // The pair of an extended character is not cut: 152 + "€" leaves one unit of the first part empty.
  expect(count(`${'a'.repeat(152)}€${'a'.repeat(151)}`)).toEqual(['GSM-7', 305, 2, 0]);
  expect(count(`${'a'.repeat(152)}€${'a'.repeat(152)}`)).toEqual(['GSM-7', 306, 3, 152]);
  expect(count('ü'.repeat(160))).toEqual(['GSM-7', 160, 1, 0]);
  expect(count('ł'.repeat(70))).toEqual(['UCS-2', 70, 1, 0]);
  expect(count('ł'.repeat(71))).toEqual(['UCS-2', 71, 2, 63]);
  expect(count('😀'.repeat(35))).toEqual(['UCS-2', 70, 1, 0]);
  expect(count('😀'.repeat(67))).toEqual(['UCS-2', 134, 3, 65]);
  expect(countSms('Termin für Łukasz – „heute“').forcing).toEqual(['Ł', '–', '„', '“']);
  expect(countSms('ç and `').forcing).toEqual(['ç', '`']);
});

test('sms: no-break spaces of amounts and times do not halve what fits', () => {
  const text = compose(
    { key: 'k', channel: 'sms', locale: 'de', subject: null, body: 'Offen: {{ 480 | money: "EUR" }}', native: null },
    { ...exampleContext('customer'), locale: 'de' },
    foot(),
  ).text!;
  expect(text).toBe('Offen: 480,00 €');
  expect(countSms(text).encoding).toBe('GSM-7');
});
