/** The one place that names the API version (dossier, Base: quarterly, each supported for at least twelve months). */
export const VERSION = '2026-10';

/** Everything of the Admin API is asked for at one address. */
export const GRAPHQL = `/admin/api/${VERSION}/graphql.json`;

/** What a shop is called: nothing else may follow `https://`, or tokens could be sent anywhere (dossier, Auth). */
export const SHOP = '^[a-zA-Z0-9][a-zA-Z0-9-]*\\.myshopify\\.com$';
