import type { Tx } from '../base/database.ts';
import type { Channel } from '../settings/schema.ts';

/** One thing an answer sets off. `key` makes it happen once, however often it is asked for. */
interface Wish {
  key: string;
  customerId: string;
  /** Key of the survey. */
  survey: string;
}

export interface ReplyWish extends Wish {
  invitation: string;
  template: string;
  channels: readonly Channel[];
}
export interface NoticeWish extends Wish {
  by: 'chat' | 'email';
  title: string;
  text: string;
}
export interface TaskWish extends Wish {
  title: string;
  body: string;
  dueInDays: number;
  priority: 'low' | 'normal' | 'high';
}
export interface TagWish extends Wish {
  tag: string;
}

/** What surveys ask of the actions room, which lies above them; each plans in the transaction of the answer. */
export interface SurveyPorts {
  /** A text to the customer. @returns why nobody can be reached, or undefined when it is planned */
  reply(tx: Tx, wish: ReplyWish, now: Date): Promise<string | undefined>;
  /** Tells the person who looks after the customer. @returns why nobody can be told */
  tell(tx: Tx, wish: NoticeWish, now: Date): Promise<string | undefined>;
  /** A task in the CRM for that person. */
  task(tx: Tx, wish: TaskWish, now: Date): Promise<void>;
  /** A tag for the customer in the CRM. */
  tag(tx: Tx, wish: TagWish, now: Date): Promise<void>;
}
