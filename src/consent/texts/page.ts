/** Every sentence the recipients' pages say. {business}, {date} and the like are filled in. */
export interface PageTexts {
  unknownTitle: string;
  unknown: string;
  unsubscribeTitle: string;
  /** {business}, {what} */
  unsubscribeQuestion: string;
  everything: string;
  /** {topic} */
  aboutTopic: string;
  unsubscribeButton: string;
  unsubscribedTitle: string;
  unsubscribed: string;
  moreChoices: string;
  /** {business} */
  preferencesTitle: string;
  /** {address} */
  preferencesFor: string;
  saved: string;
  nothingChanged: string;
  /** {topics} */
  alwaysSent: string;
  /** {business} */
  stopped: string;
  closed: string;
  howOften: string;
  asOften: string;
  weekly: string;
  monthly: string;
  pauseTitle: string;
  pause: string;
  /** {date} */
  paused: string;
  resume: string;
  birthdayTitle: string;
  birthday: string;
  birthdayHint: string;
  /** What was typed is no day. */
  birthdayWrong: string;
  save: string;
  allTitle: string;
  allExplained: string;
  allButton: string;
  whyLink: string;
  preferencesLink: string;
  whyTitle: string;
  /** {business}, {address} */
  whyIntro: string;
  whyNothing: string;
  whyNoConsent: string;
  /** {basis}, {date}, {source} */
  whyBasis: string;
  /** {sequence} */
  whySequence: string;
  /** {event}, {subject} */
  whyEvent: string;
  whyByHand: string;
  whyStop: string;
  footerWhy: string;
  footerPreferences: string;
  footerUnsubscribe: string;
  channels: { email: string; sms: string; whatsapp: string };
  bases: Record<
    'consent' | 'contract' | 'legitimate_interest' | 'implied_purchase' | 'implied_inquiry' | 'transactional',
    string
  >;
  sources: Record<'form' | 'page' | 'reply' | 'platform' | 'staff', string>;
}
