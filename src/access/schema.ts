import { Type } from 'typebox';
import { words } from '../base/schema.ts';

export const USER_ROLES = ['owner', 'admin', 'operator', 'integrator', 'viewer'] as const;
export type UserRole = (typeof USER_ROLES)[number];

/** What may be done; every route of the API names the one it needs. */
export const PERMISSIONS = ['read', 'operate', 'integrate', 'admin'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** What each role may do. */
export const ROLE_PERMISSIONS: Record<UserRole, readonly Permission[]> = {
  owner: ['read', 'operate', 'integrate', 'admin'],
  admin: ['read', 'operate', 'integrate', 'admin'],
  operator: ['read', 'operate'],
  integrator: ['read', 'integrate'],
  viewer: ['read'],
};

/** Who makes a request. */
export interface Principal {
  tenantId: string;
  /** `user:<id>` or `api_key:<id>`, as the audit trail names it. */
  actor: string;
  role: UserRole;
  permissions: readonly Permission[];
  userId?: string;
  /** How it was authenticated: cookies need protection against other sites. */
  via: 'cookie' | 'bearer';
}

const Email = Type.String({ format: 'email', maxLength: 254 });
const Password = Type.String({ minLength: 10, maxLength: 200, description: 'At least 10 characters' });

export const SetupRequest = Type.Object(
  {
    business: Type.String({ minLength: 1, maxLength: 200 }),
    name: Type.String({ minLength: 1, maxLength: 200 }),
    email: Email,
    password: Password,
    zone: Type.Optional(Type.String({ description: 'IANA time zone of the business' })),
    country: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$' })),
    currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
  },
  { $id: 'SetupRequest', additionalProperties: false },
);

export const LoginRequest = Type.Object(
  { email: Email, password: Type.String({ maxLength: 200 }) },
  { $id: 'LoginRequest', additionalProperties: false },
);

export const SessionAnswer = Type.Object(
  {
    token: Type.String({ description: 'Send it as Authorization: Bearer; browsers get it as a cookie too' }),
    expiresAt: Type.String({ format: 'date-time' }),
    tenantId: Type.String({ format: 'uuid' }),
    role: words(USER_ROLES),
  },
  { $id: 'Session' },
);

export const User = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    email: Type.String(),
    name: Type.String(),
    role: words(USER_ROLES),
    createdAt: Type.String({ format: 'date-time' }),
    version: Type.Integer(),
  },
  { $id: 'User' },
);

export const UserInput = Type.Object(
  { email: Email, name: Type.String({ minLength: 1, maxLength: 200 }), password: Password, role: words(USER_ROLES) },
  { $id: 'UserInput', additionalProperties: false },
);

export const ApiKey = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    prefix: Type.String({ description: 'First characters, to recognise it' }),
    role: words(USER_ROLES),
    scopes: Type.Array(words(PERMISSIONS)),
    createdAt: Type.String({ format: 'date-time' }),
    lastUsedOn: Type.Union([Type.String({ format: 'date' }), Type.Null()]),
    revokedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    key: Type.Optional(Type.String({ description: 'Shown once, when it is made' })),
    version: Type.Integer(),
  },
  { $id: 'ApiKey' },
);

export const ApiKeyInput = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    role: words(['admin', 'operator', 'integrator', 'viewer']),
    scopes: Type.Optional(Type.Array(words(PERMISSIONS), { uniqueItems: true })),
  },
  { $id: 'ApiKeyInput', additionalProperties: false },
);
