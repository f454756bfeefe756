/** Everything a connector is made of. Connectors import from here and from nowhere else in `src`. */
export type { Clock } from '../base/clock.ts';
export * from './actions.ts';
export * from './auth.ts';
export * from './connector.ts';
export * from './context.ts';
export * from './entities.ts';
export * from './errors.ts';
export * from './files.ts';
export { isPrivateAddress, publicAddress } from './guard.ts';
export { bodyOf, networkError, parseBody, readBytes } from './http.ts';
export * from './limits.ts';
export * from './request.ts';
export * from './signatures.ts';
export * from './streams.ts';
export * from './trial.ts';
export * from './webhooks.ts';
