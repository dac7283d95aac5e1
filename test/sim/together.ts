/** Scenarios that mostly wait for pauses to pass run at the same time, as one test. */
import t from 'tap';

export type Test = Parameters<Parameters<typeof t.test>[0]>[0];

const scenarios: { name: string; body: (t: Test) => Promise<void> }[] = [];

export function scenario(name: string, body: (t: Test) => Promise<void>): void {
  scenarios.push({ name, body });
}

export function together(): void {
  void t.test(`${scenarios.length} scenarios at once`, async (t) => {
    await Promise.all(
      scenarios.map(async ({ name, body }) => {
        try {
          await body(t);
          t.pass(name);
        } catch (error) {
          t.fail(name, { error: String(error) });
        }
      }),
    );
  });
}
