import { type Clock, listAt, type Trial } from '../../src/kit/index.ts';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { inboundParameters, signatureOf } from './sandbox.posts.ts';
import { rfc2822, type TwilioState } from './sandbox.state.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Account {
  state: TwilioState;
  server: SandboxServer;
  credentials: { authToken: string };
  inboundUrl: string | null;
}

/** Twilio's side of the cases every connector is tried with. */
export function trialOf(sandbox: Account, clock: Clock): Trial {
  const { state, server, credentials } = sandbox;
  let made = 0;
  return {
    streams: {
      messages: {
        create: (count, at) =>
          Array.from({ length: count }, () => {
            made += 1;
            const message = state.receive('+14155550123', state.number.phone_number, `Message ${made}`);
            const time = rfc2822(at ?? clock.now());
            Object.assign(message, { date_created: time, date_sent: time, date_updated: time });
            return message.sid;
          }),
        change: (id, mark, at) =>
          Object.assign(state.find(id)!, { body: mark, date_updated: rfc2822(at ?? clock.now()) }),
        ids: () => state.messages.map(({ sid }) => sid).reverse(),
        announced: true,
        listed: /^GET \/2010-04-01\/Accounts\/[^/]+\/Messages\.json$/,
        field: 'body',
        records: (body) => listAt(body, 'messages'),
      },
    },
    // A message arrives once: whichever event tells of it, it is the same one.
    hook: ({ id }) => {
      const url = sandbox.inboundUrl!;
      const parameters = inboundParameters(state, state.find(id)!);
      return {
        url,
        body: new URLSearchParams(parameters).toString(),
        headers: {
          'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
          'x-twilio-signature': signatureOf(credentials.authToken, url, parameters),
        },
      };
    },
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(state),
    refusals: refusalsOf(clock),
  };
}
