import pg from 'pg';

/** Texts as they may stand in a database: plain, as bytes, in the base64 of a kept answer. */
const forms = (text: string): string[] => [text, Buffer.from(text).toString('hex'), ...base64Of(text)];

/** A text inside of something encoded begins at any of three places. */
const base64Of = (text: string): string[] =>
  [0, 1, 2].map((before) => {
    const encoded = Buffer.from(`${' '.repeat(before)}${text}`).toString('base64');
    // What stands beside it decides about the first and the last letters.
    return encoded.slice(before === 0 ? 0 : 4, Math.floor(encoded.length / 4) * 4 - 4);
  });

/**
 * Where texts stand in a database, the queue's tables included: `table: the row's beginning`.
 * @param url of a user who sees every row
 */
export async function placesWith(url: string, texts: readonly string[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
    );
    const wanted = texts.flatMap(forms).filter((text) => text.length >= 8);
    const found: string[] = [];
    for (const { name } of rows) {
      // Looked through here: the database would take a hundred times as long for the rows that hold megabytes.
      const all = await client.query<{ text: string }>(`select t::text as text from ${name} t`);
      for (const { text } of all.rows)
        for (const secret of wanted) {
          const at = text.indexOf(secret);
          if (at >= 0) found.push(`${name}: ${text.slice(0, 200)} … ${text.slice(Math.max(0, at - 100), at)}`);
        }
    }
    return found;
  } finally {
    await client.end();
  }
}
