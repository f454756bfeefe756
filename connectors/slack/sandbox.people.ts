import type { Deed } from '../../src/kit/index.ts';
import { sampleStaff } from '../../src/kit/sandbox/index.ts';
import type { SlackState, SlackUser } from './sandbox.state.ts';

interface Workspace {
  state: SlackState;
  changeUser(id: string, change: Partial<SlackUser>): Promise<unknown>;
  press(messageTs: string, buttonLabel: string, userId: string): Promise<unknown>;
  uninstall(): Promise<void>;
}

/** A small workspace: staff and two channels. */
export function fill(state: SlackState): void {
  for (const { first, last, email } of sampleStaff) state.addUser(`${first} ${last}`, email);
  state.addChannel('general', { is_member: true });
  state.addChannel('accounts');
}

const person = (state: SlackState): string =>
  [...state.users.values()].find((user) => !user.is_bot && user.profile.email)?.id ?? '';

/** What people in the workspace do. */
export const deedsOf = (sandbox: Workspace): Deed[] => {
  const { state } = sandbox;
  return [
    {
      name: 'change-person',
      title: 'Change a profile',
      fields: () => ({ person: person(state), title: 'Head of accounts' }),
      act: async ({ person: id = '', title = '' }) => {
        if (!state.users.has(id)) throw new Error(`There is nobody ${id}.`);
        await sandbox.changeUser(id, { profile: { title } });
        return `The title of ${id} is now ${title}.`;
      },
    },
    {
      name: 'press-button',
      title: 'Press a button under the last message',
      fields: () => {
        const message = state.messages.filter((one) => one.bot_id !== undefined).at(-1);
        const buttons = message?.blocks.flatMap((block) => block.elements ?? []) ?? [];
        return { person: person(state), message: message?.ts ?? '', button: buttons[0]?.text?.text ?? '' };
      },
      act: async ({ person: id = '', message = '', button = '' }) => {
        await sandbox.press(message, button, id);
        return `${id} pressed "${button}".`;
      },
    },
    {
      name: 'uninstall',
      title: 'Remove the app from the workspace',
      act: async () => {
        await sandbox.uninstall();
        return 'The app was removed: its tokens are worth nothing any more.';
      },
    },
  ];
};
