import type { ChannelChoices, Choices, Told } from '../consent/choices.ts';
import { dayIn, fill, TEXTS } from '../consent/texts/index.ts';
import type { Language } from '../settings/schema.ts';
import { escapeHtml, page } from './pages.ts';

/** Whose page it is, in which language, and under which link. */
export interface PageOf {
  language: Language;
  business: string;
  zone: string;
  token: string;
}

/** As much of an address as its owner needs to know it by: whoever else sees the page learns no address from it. */
export function masked(address: string): string {
  const at = address.lastIndexOf('@');
  if (at > 0) return `${address[0]}•••${address.slice(at)}`;
  return `•••${address.slice(-3)}`;
}

const shown = (of: PageOf, title: string, body: string): string =>
  page(title, body, { lang: of.language, of: of.business });

export function unknownPage(language: Language): string {
  const texts = TEXTS[language];
  return page(texts.unknownTitle, `<p>${escapeHtml(texts.unknown)}</p>`, { lang: language, of: '' });
}

const link = (path: string, text: string): string => `<a href="${path}">${escapeHtml(text)}</a>`;

/** @param topic its title; undefined: everything on the channel */
export function unsubscribePage(of: PageOf, topic: string | undefined): string {
  const texts = TEXTS[of.language];
  const what = topic === undefined ? texts.everything : fill(texts.aboutTopic, { topic });
  const question = escapeHtml(fill(texts.unsubscribeQuestion, { what, business: of.business }));
  return shown(
    of,
    texts.unsubscribeTitle,
    `<p>${question}</p><form method="post"><button>${escapeHtml(texts.unsubscribeButton)}</button></form><p>${link(`/p/${of.token}`, texts.moreChoices)}</p><p>${link(`/w/${of.token}`, texts.whyLink)}</p>`,
  );
}

export function unsubscribedPage(language: Language, token: string, business = ''): string {
  const texts = TEXTS[language];
  const body = `<p role="status" class="done">${escapeHtml(texts.unsubscribed)}</p><p>${link(`/p/${escapeHtml(encodeURIComponent(token))}`, texts.moreChoices)}</p>`;
  return page(texts.unsubscribedTitle, body, { lang: language, of: business });
}

const hidden = (name: string, value: string): string =>
  `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`;

/** A box or button with its words beside it, both of which can be clicked. */
function choice(type: 'checkbox' | 'radio', name: string, value: string, words: string, on: boolean): string {
  const id = escapeHtml(`${name}-${value}`.replace(/[^\w-]/g, '-'));
  return `<label class="choice" for="${id}"><input type="${type}" id="${id}" name="${escapeHtml(name)}" value="${escapeHtml(value)}"${on ? ' checked' : ''}><span>${escapeHtml(words)}</span></label>`;
}

const group = (legend: string, inside: string): string =>
  `<fieldset><legend>${escapeHtml(legend)}</legend>${inside}</fieldset>`;

function channelGroup(of: PageOf, { channel, topics, closed, address }: ChannelChoices): string {
  const texts = TEXTS[of.language];
  const name = `${texts.channels[channel]} (${masked(address)})`;
  if (closed) {
    const why = closed === 'stopped' ? fill(texts.stopped, { business: of.business }) : texts.closed;
    return group(name, `<p>${escapeHtml(why)}</p>`);
  }
  const boxes = topics.map(
    ({ key, title, on }) =>
      hidden(`was:${channel}:${key}`, on ? '1' : '0') + choice('checkbox', `topic:${channel}:${key}`, '1', title, on),
  );
  return group(name, boxes.join(''));
}

/** What the page says about what was sent to it before. */
export interface PreferencesNews {
  saved?: boolean;
  problem?: string;
}

/** @param birthday whether it is asked for */
export function preferencesPage(
  of: PageOf,
  choices: Choices,
  news: PreferencesNews | undefined,
  birthday: boolean,
): string {
  const texts = TEXTS[of.language];
  const told =
    news?.saved === undefined
      ? ''
      : `<p role="status" class="done">${escapeHtml(news.saved ? texts.saved : texts.nothingChanged)}</p>`;
  const problem = news?.problem ? `<p role="alert" class="error">${escapeHtml(news.problem)}</p>` : '';
  const rates = (['often', 'weekly', 'monthly'] as const).map((rate) =>
    choice(
      'radio',
      'rate',
      rate,
      { often: texts.asOften, weekly: texts.weekly, monthly: texts.monthly }[rate],
      choices.rate === rate,
    ),
  );
  const pause = choices.pausedUntil
    ? `<p>${escapeHtml(fill(texts.paused, { date: dayIn(choices.pausedUntil, of.language, of.zone) }))}</p>${choice('checkbox', 'resume', '1', texts.resume, false)}`
    : choice('checkbox', 'pause', '1', texts.pause, false);
  const asked = birthday
    ? group(
        texts.birthdayTitle,
        `<label for="birthday">${escapeHtml(texts.birthday)}</label><input id="birthday" name="birthday" inputmode="numeric" autocomplete="bday" maxlength="10" aria-describedby="birthday-hint"><p class="hint" id="birthday-hint">${escapeHtml(texts.birthdayHint)}</p>`,
      )
    : '';
  const always =
    choices.always.length > 0
      ? `<p>${escapeHtml(fill(texts.alwaysSent, { topics: choices.always.join(', ') }))}</p>`
      : '';
  return shown(
    of,
    fill(texts.preferencesTitle, { business: of.business }),
    `${told}${problem}<form method="post">${hidden('do', 'save')}${choices.channels.map((way) => channelGroup(of, way)).join('')}${always}${group(texts.howOften, hidden('was:rate', choices.rate) + rates.join(''))}${group(texts.pauseTitle, pause)}${asked}<button>${escapeHtml(texts.save)}</button></form>
    <h2>${escapeHtml(texts.allTitle)}</h2><p>${escapeHtml(texts.allExplained)}</p><form method="post">${hidden('do', 'nothing')}<button>${escapeHtml(texts.allButton)}</button></form><p>${link(`/w/${of.token}`, texts.whyLink)}</p>`,
  );
}

/** What somebody was sent under a link, and why. */
export function whyPage(of: PageOf, address: string, messages: readonly Told[]): string {
  const texts = TEXTS[of.language];
  const items = messages.map(
    ({ at, channel, what, why }) =>
      `<li><h2>${escapeHtml(what)}</h2><p>${escapeHtml(`${dayIn(at, of.language, of.zone)}, ${(texts.channels as Record<string, string>)[channel] ?? channel}`)}</p>${why.map((sentence) => `<p>${escapeHtml(sentence)}</p>`).join('')}</li>`,
  );
  const list = items.length > 0 ? `<ol>${items.join('')}</ol>` : `<p>${escapeHtml(texts.whyNothing)}</p>`;
  return shown(
    of,
    texts.whyTitle,
    `<p>${escapeHtml(fill(texts.whyIntro, { business: of.business, address: masked(address) }))}</p>${list}<h2>${escapeHtml(texts.whyStop)}</h2><p>${link(`/p/${of.token}`, texts.preferencesLink)}</p><p>${link(`/u/${of.token}`, texts.footerUnsubscribe)}</p>`,
  );
}
