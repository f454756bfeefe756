/** Somebody a simulation can be filled with. The same people everywhere, so that a hub finds them to be the same. */
export interface SamplePerson {
  first: string;
  last: string;
  email: string;
  phone: string;
  company: string;
}

const FIRST = ['Ada', 'Ben', 'Carla', 'Dev', 'Elif', 'Finn', 'Gina', 'Hugo', 'Iris', 'Jonas'];
const LAST = ['Abbott', 'Baker', 'Castro', 'Dietz', 'Evans', 'Flores'];

/** A few people with addresses and numbers that belong to nobody. */
export const samplePeople = (count = 12): SamplePerson[] =>
  Array.from({ length: count }, (_, at) => {
    const [first, last] = [FIRST[at % FIRST.length]!, LAST[Math.floor(at / 2) % LAST.length]!];
    const company = `${last} Works`;
    const email = `${first}.${last}${at}@${last}.example`.toLowerCase();
    return { first, last, email, phone: `+1614555${String(100 + (at % 100)).padStart(4, '0')}`, company };
  });

/** Those who work there. */
export const sampleStaff = [
  { first: 'Maya', last: 'Brandt', email: 'maya@business.example' },
  { first: 'Owen', last: 'Fischer', email: 'owen@business.example' },
] as const;
