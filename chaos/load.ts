import { setTimeout as delay } from 'node:timers/promises';

/** A request over the API that is sent again and again until the hub answers it. */
export interface Promised {
  /** Its Idempotency-Key, which also stands in the text of what it asks for. */
  key: string;
  kind: string;
  class: string | null;
  /** Ids the hub gave in answers: there must be one only. */
  ids: string[];
  /** The hub said no, with these words. */
  refused: string | null;
  /** How often it was sent. */
  tries: number;
}

export interface LoadTargets {
  customers: readonly string[];
  slackUsers: readonly string[];
  hubspot: string;
}

/** Somebody's program that uses the API: it repeats what was not answered, and now and then what was. */
export class Load {
  readonly promises: Promised[] = [];
  private readonly url: string;
  private readonly apiKey: string;
  private readonly targets: LoadTargets;
  private readonly random: () => number;
  private open = 0;
  private ended = false;

  constructor(url: string, apiKey: string, targets: LoadTargets, random: () => number) {
    this.url = url;
    this.apiKey = apiKey;
    this.targets = targets;
    this.random = random;
  }

  /** Requests that wait for their answer. */
  pending(): number {
    return this.open;
  }

  end(): void {
    this.ended = true;
  }

  /** Asks for so many actions, all at once; does not wait. */
  ask(times: number): void {
    for (let n = 0; n < times; n++) {
      const key = `k-${this.promises.length + 1}`;
      const body = this.draw(key);
      const promised: Promised = {
        key,
        kind: String(body.kind),
        class: (body.class as string | undefined) ?? null,
        ids: [],
        refused: null,
        tries: 0,
      };
      this.promises.push(promised);
      void this.insist(promised, JSON.stringify(body));
      // Its program lost the answer, or never looked at it.
      if (this.random() < 0.2) void this.insist(promised, JSON.stringify(body), this.random() * 1_500);
    }
  }

  private pick(items: readonly string[]): string {
    return items[Math.floor(this.random() * items.length)] ?? '';
  }

  private draw(key: string): Record<string, unknown> {
    const { customers, slackUsers, hubspot } = this.targets;
    const customerId = this.pick(customers);
    const dice = this.random();
    if (dice < 0.25) return { kind: 'create_task', customerId, input: { title: `Call back [${key}]`, due_in_days: 1 } };
    if (dice < 0.4)
      return { kind: 'add_note', customerId, connectionId: hubspot, input: { body: `Was here [${key}]` } };
    if (dice < 0.5) return { kind: 'create_ticket', customerId, input: { title: `Question [${key}]` } };
    if (dice < 0.65)
      return { kind: 'send_chat', input: { target: this.pick(slackUsers), title: `Look [${key}]`, text: 'Please.' } };
    const marketing = dice > 0.85;
    const more = { customerId, class: marketing ? 'marketing' : 'transactional' };
    if (dice < 0.75 || dice > 0.92) return { kind: 'send_sms', ...more, input: { text: `Your visit [${key}]` } };
    return { kind: 'send_email', ...more, input: { subject: `Your visit [${key}]`, text: 'We come on Monday.' } };
  }

  private async insist(promised: Promised, body: string, waitMs = 0): Promise<void> {
    this.open += 1;
    try {
      if (waitMs > 0) await delay(waitMs);
      let tried = 0;
      while (!this.ended) {
        promised.tries += 1;
        const answer = await this.post(promised.key, body);
        if (answer?.status === 202) {
          const { id } = JSON.parse(answer.text) as { id: string };
          if (!promised.ids.includes(id)) promised.ids.push(id);
          return;
        }
        // What is still worked on, too much, or a failure of the hub's own is asked for again.
        if (answer && answer.status < 500 && ![408, 409, 429].includes(answer.status)) {
          promised.refused = `${answer.status} ${answer.text.slice(0, 200)}`;
          return;
        }
        await delay(Math.min(4_000, 100 * 2 ** tried++) * (0.5 + this.random()));
      }
    } finally {
      this.open -= 1;
    }
  }

  private async post(key: string, body: string): Promise<{ status: number; text: string } | undefined> {
    try {
      const answer = await fetch(`${this.url}/v1/actions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.apiKey}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body,
        signal: AbortSignal.timeout(10_000),
      });
      return { status: answer.status, text: await answer.text() };
    } catch {
      return undefined;
    }
  }
}
