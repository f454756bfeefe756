/**
 * `amount`: money as the customer writes it, currency included; `date`: for the filter `day`; `time`: for the filter
 * `time`; `flag`: for `if`.
 */
export type VariableType = 'text' | 'number' | 'amount' | 'date' | 'time' | 'link' | 'flag' | 'list';

type Field = readonly [type: VariableType, meaning: string, example: unknown];

/** Any name may follow here, because the business or the trigger decides which there are. */
interface Open {
  /** Below which name; directly below the group when absent. */
  under?: string;
  told: { meaning: string; example: unknown };
}

export type VariableGroup = { only?: 'staff' | 'survey' } & (
  | { title: string; meaning: string; fields: Record<string, Field>; list?: true; open?: Open }
  | { title: string; meaning: string; type: VariableType; example: unknown }
);

const invoice = {
  number: ['text', 'Number of the invoice', 'R-1042'],
  amount: ['amount', 'What is still open', '€480.00'],
  total: ['amount', 'What was invoiced', '€480.00'],
  issued_on: ['date', 'When it was issued', '2026-02-20'],
  due_on: ['date', 'When it is due', '2026-03-06'],
  days_overdue: ['number', 'Days since it was due; 0 before', 12],
  days_until_due: ['number', 'Days until it is due; 0 afterwards', 0],
  paid_on: ['date', 'When its balance reached zero', '2026-03-18'],
  url: ['link', 'Where the customer can see and pay it', 'https://pay.example.com/R-1042'],
  balance: ['number', 'What is still open, as a bare number', '480.00'],
  currency: ['text', 'Its currency', 'EUR'],
  status: ['text', 'draft, open, partial, paid, void, credited or disputed', 'open'],
} as const satisfies Record<string, Field>;

const job = {
  title: ['text', 'Title of the job', 'Heat pump installation'],
  kind: ['text', 'Kind of work, as the platform calls it', 'installation'],
  asset: ['text', 'What was worked on', 'Heat pump'],
  status: ['text', 'requested, scheduled, in_progress, completed, cancelled or no_show', 'completed'],
  completed_on: ['date', 'When it was completed', '2026-03-10'],
  days_since: ['number', 'Days since it was completed', 8],
  scheduled_on: ['date', 'The day it is or was planned for', '2026-03-10'],
  amount: ['amount', 'What it costs', '€1,900.00'],
} as const satisfies Record<string, Field>;

/** What texts may say, by group. The one list: it is what is checked, shown in the console and told in docs/templates.md. */
export const GROUPS: Record<string, VariableGroup> = {
  customer: {
    title: 'The customer',
    meaning: 'The person the message goes to, or staff are told about.',
    fields: {
      name: ['text', 'Full name', 'Ann Smith'],
      first_name: ['text', 'Given name', 'Ann'],
      last_name: ['text', 'Family name', 'Smith'],
      email: ['text', 'E-mail address', 'ann@example.com'],
      phone: ['text', 'Phone number', '+4915112345678'],
      job_title: ['text', 'Job title', 'Facility manager'],
      address: ['text', 'Street and number', '5 Mill Lane'],
      city: ['text', 'City', 'Berlin'],
      postal_code: ['text', 'Postal code', '10115'],
      country: ['text', 'Country, two letters', 'DE'],
      language: ['text', 'Language, two letters', 'en'],
      birthday: ['text', 'Birthday as MM-DD, or with the year in front', '1984-05-17'],
      since: ['date', 'Known since', '2023-04-02'],
      id: ['text', 'Id of the customer in the hub', '3f2b8a10-5c4d-4e6f-8a90-1b2c3d4e5f60'],
    },
    open: {
      under: 'custom',
      told: { meaning: 'A field of your own, by its name', example: 'Silver contract' },
    },
  },
  company: {
    title: 'Their company',
    meaning: 'The company the customer belongs to.',
    fields: {
      name: ['text', 'Name of the company', 'Smith Ltd'],
      email: ['text', 'E-mail address', 'office@smith.example'],
      phone: ['text', 'Phone number', '+493012345'],
      domain: ['text', 'Web domain', 'smith.example'],
      industry: ['text', 'Industry', 'Hotels'],
      city: ['text', 'City', 'Berlin'],
    },
    open: { under: 'custom', told: { meaning: 'A field of your own, by its name', example: 'Gold' } },
  },
  owner: {
    title: 'Who looks after them',
    meaning: 'The member of staff the customer belongs to in the CRM.',
    fields: {
      name: ['text', 'Full name', 'Maria Keller'],
      first_name: ['text', 'The first word of the name', 'Maria'],
      email: ['text', 'E-mail address', 'maria@business.example'],
    },
  },
  business: {
    title: 'The business',
    meaning: 'Who writes; from the settings.',
    fields: {
      name: ['text', 'Name of the business', 'Keller Heating'],
      phone: ['text', 'Phone number', '+4930987654'],
      reply_to: ['text', 'Address for answers', 'hello@keller.example'],
      postal_address: ['text', 'Postal address', '1 Market Street, 10115 Berlin'],
      country: ['text', 'Country, two letters', 'DE'],
      currency: ['text', 'Currency', 'EUR'],
      zone: ['text', 'Time zone', 'Europe/Berlin'],
    },
  },
  invoice: {
    title: 'The invoice it is about',
    meaning: 'The invoice the trigger fired for (issued, due soon, paid, first one), or that a failed payment was for.',
    fields: invoice,
  },
  invoices: {
    title: 'Overdue invoices',
    meaning: 'Everything of the customer that is overdue, the oldest first.',
    list: true,
    fields: invoice,
  },
  overdue: {
    title: 'Overdue, together',
    meaning: 'All overdue invoices of the customer in one figure.',
    fields: {
      total: ['amount', 'What is overdue together, after credits', '€480.00'],
      count: ['number', 'How many invoices', 1],
      oldest_days: ['number', 'Days the oldest is overdue', 12],
      stage: ['text', 'friendly, firm (7 days) or final (14 days): the tone the oldest asks for', 'firm'],
      credit: ['amount', 'Credit that was subtracted', '€20.00'],
    },
  },
  job: {
    title: 'The job',
    meaning: 'The job, installation or order the trigger fired for, else the latest completed one.',
    fields: job,
  },
  appointment: {
    title: 'The appointment',
    meaning: 'The appointment the trigger fired for, else the next one planned.',
    fields: {
      title: ['text', 'Title', 'Yearly maintenance'],
      kind: ['text', 'Kind of work', 'maintenance'],
      date: ['date', "The day, on the customer's calendar", '2026-03-20'],
      time: ['time', "The time of the day, on the customer's clock", '14:30'],
      asset: ['text', 'What is worked on', 'Heat pump'],
    },
  },
  subscription: {
    title: 'The contract, warranty or subscription',
    meaning: 'The one the trigger fired for, else the active one that ends or renews next.',
    fields: {
      name: ['text', 'Name', 'Full service'],
      kind: ['text', 'subscription, contract or warranty', 'contract'],
      plan: ['text', 'Plan', 'Gold'],
      status: ['text', 'active, paused, past_due, ended or cancelled', 'active'],
      started_on: ['date', 'When it started', '2024-04-01'],
      ends_on: ['date', 'When it ends', '2026-04-01'],
      renews_on: ['date', 'When it renews', '2026-04-01'],
      days_left: ['number', 'Days until it ends or renews; 0 afterwards', 14],
      amount: ['amount', 'What it costs in a period', '€29.00'],
    },
  },
  deal: {
    title: 'The deal',
    meaning: 'The deal the trigger fired for.',
    fields: {
      name: ['text', 'Name', 'New boiler'],
      amount: ['amount', 'Amount', '€7,200.00'],
      stage: ['text', 'Stage, as the CRM calls it', 'Quote sent'],
      status: ['text', 'open, won or lost', 'open'],
      closes_on: ['date', 'Expected close', '2026-04-15'],
    },
  },
  ticket: {
    title: 'The ticket',
    meaning: 'The ticket or case the trigger fired for.',
    fields: {
      subject: ['text', 'Subject', 'Radiator stays cold'],
      category: ['text', 'Category', 'repair'],
      priority: ['text', 'Priority', 'high'],
      stage: ['text', 'Stage, as the platform calls it', 'Solved'],
      status: ['text', 'open, pending or closed', 'closed'],
      closed_on: ['date', 'When it was closed', '2026-03-12'],
    },
  },
  payment: {
    title: 'The payment',
    meaning: 'The payment the trigger fired for.',
    fields: {
      amount: ['amount', 'Amount', '€480.00'],
      method: ['text', 'How it was paid', 'card'],
      reason: ['text', 'Why it failed, as billing says it', 'card expired'],
      paid_on: ['date', 'When', '2026-03-15'],
      link: ['link', 'Where to pay: of its invoice, else the link of the settings', 'https://pay.example.com/R-1042'],
    },
  },
  trigger: {
    title: 'What started it',
    meaning: 'The trigger that fired.',
    fields: {
      name: ['text', 'Kind of trigger', 'job.completed'],
      subject: ['text', 'What it was about, in words', 'Heat pump installation'],
      on: ['date', 'The day of the fact', '2026-03-10'],
    },
    open: {
      under: 'data',
      told: { meaning: 'What the trigger tells, by its name (see each trigger)', example: '7' },
    },
  },
  score: {
    title: 'The relationship score',
    meaning: 'Best in texts for staff.',
    fields: {
      band: ['text', 'Band', 'strong'],
      value: ['number', '0 to 100', 82],
      vip: ['flag', 'Whether the customer is a VIP', true],
      unhappy: ['flag', 'Whether the customer is unhappy', false],
    },
  },
  values: {
    title: 'Values of the sequence',
    meaning: 'What the sequence keeps under `values`, to be edited without touching a text.',
    fields: {},
    open: { told: { meaning: 'A value of the sequence, by its name', example: '10% off until Sunday' } },
  },
  links: {
    title: 'Links for the recipient',
    meaning: 'The same for ever for one person, channel and topic.',
    fields: {
      unsubscribe: ['link', 'Ends these messages', 'https://hub.example.com/u/x'],
      preferences: ['link', 'Where they choose what they get', 'https://hub.example.com/p/x'],
      why: ['link', 'Why they get it', 'https://hub.example.com/w/x'],
    },
  },
  booking: {
    title: 'Booking',
    meaning: 'From the setting "Links in texts".',
    fields: { link: ['link', 'Where an appointment is booked', 'https://cal.example.com/keller'] },
  },
  review: {
    title: 'Reviews',
    meaning: 'From the setting "Links in texts".',
    fields: { link: ['link', 'Where a review is written', 'https://reviews.example.com/keller'] },
  },
  survey: {
    title: 'The survey',
    meaning: 'In the invitation of a survey step, and in the reply to an answer.',
    only: 'survey',
    fields: {
      link: ['link', 'Where this customer answers', 'https://hub.example.com/s/x'],
      title: ['text', 'Title of the survey', 'How did we do?'],
      question: ['text', 'Its main question', 'How likely are you to recommend us?'],
      score: ['number', 'What was answered; in the reply only', 9],
      verdict: ['text', 'good or bad; in the reply only', 'good'],
    },
  },
  survey_scale: {
    title: 'Answers to click',
    meaning: 'The values of the main question of the survey, one link for each; the customer still confirms it.',
    only: 'survey',
    list: true,
    fields: {
      value: ['number', 'The value', 9],
      label: ['text', 'The value, or at the ends what it means', '9'],
      link: ['link', 'The survey with this value chosen', 'https://hub.example.com/s/x?a=9'],
    },
  },
  campaign: {
    title: 'The campaign',
    meaning: 'The campaign the customer was entered by.',
    fields: { name: ['text', 'Name of the campaign', 'Spring check 2026'] },
  },
  sequence: {
    title: 'The sequence',
    meaning: 'The sequence that sends it.',
    fields: {
      title: ['text', 'Title', 'After the job'],
      key: ['text', 'Key', 'post-job'],
    },
  },
  today: { title: 'Today', meaning: 'Today, on the calendar of the business', type: 'date', example: '2026-03-18' },
  staff: {
    title: 'The colleague who is told',
    meaning: 'Only in texts of `notify` and `escalate`.',
    only: 'staff',
    fields: {
      name: ['text', 'Name', 'Maria Keller'],
      email: ['text', 'E-mail address', 'maria@business.example'],
    },
  },
  level: {
    title: 'How far it went',
    meaning: 'How many people were asked, this one included',
    type: 'number',
    example: 1,
    only: 'staff',
  },
};
