/** The one place that names the API version. `2026-03` is the fallback with the same shapes. */
export const VERSION = '2026-09';

/** Paths that have no 2026-09 release. */
export const SINGLE_SEND = '/marketing/email-campaigns/2026-03/single-send';
