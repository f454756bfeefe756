import { expect, test } from 'vitest';
import { type OAuth2, readTokenAnswer } from '../src/kit/index.ts';

const read = (answer: object, accessTtl?: number) => {
  const auth = { kind: 'oauth2', ...(accessTtl === undefined ? {} : { accessTtl }) } as unknown as OAuth2;
  return readTokenAnswer(auth, { status: 200, headers: {}, body: { access_token: 'token', ...answer } });
};

test('tokens: the time a token lives is what the answer says, else what is known of the vendor', () => {
  expect(read({ expires_in: '1800' })).toMatchObject({ expiresInSeconds: 1800 });
  expect(read({}, 600)).toMatchObject({ expiresInSeconds: 600 });
});

test('tokens: 0 and null say that a token does not end, not that it ended', () => {
  expect(read({ expires_in: 0, scope: null })).toMatchObject({ expiresInSeconds: undefined, scopes: undefined });
  expect(read({ expires_in: null })).toMatchObject({ expiresInSeconds: undefined });
});
