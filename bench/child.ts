// Runs one bench for the process that started this one, and hands its result over.
const [file, name, ...inputs] = process.argv.slice(2) as [string, string, ...string[]];
const benches = (await import(file)) as Record<string, (...inputs: string[]) => Promise<unknown>>;
process.send!(await benches[name]!(...inputs));
