/** Every sentence the pages of surveys and the notices to staff say. {n}, {date} and the like are filled in. */
export interface SurveyTexts {
  optional: string;
  send: string;
  next: string;
  back: string;
  /** {n}, {m} */
  step: string;
  /** What is sent stays as it is. */
  final: string;
  /** Other questions came up. */
  more: string;
  /** Before the title of a page with mistakes. */
  errorTitle: string;
  problems: string;
  missing: string;
  notPossible: string;
  /** {n} */
  tooLong: string;
  thanksTitle: string;
  alreadyTitle: string;
  /** {date} */
  already: string;
  /** {date}; it counted although it was not sent. */
  counted: string;
  noAnswer: string;
  closedTitle: string;
  closed: string;
  exampleTitle: string;
  example: string;
  preview: string;
  yes: string;
  no: string;
  /** {n}, {most} */
  ofScale: string;
  /** {least}, {low}, {most}, {high} */
  ends: string;
  npsLow: string;
  npsHigh: string;
  csatLow: string;
  csatHigh: string;
  ratingLow: string;
  ratingHigh: string;
  /** {customer}, {survey} */
  noticeTitle: string;
  /** {customer}, {survey}, {score} */
  noticeHead: string;
  notHandedIn: string;
}
