/** Version of the API in every path (dossier, Base). */
export const VERSION = 'v8';

/** Path below the API, such as `/crm/v8/Contacts`. */
export const crm = (path: string): string => `/crm/${VERSION}/${path}`;
