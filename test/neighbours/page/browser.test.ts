/** The page in a real browser, as an operator has it: on a phone, then on a desk. */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import t from 'tap';
import { parseWav } from '../../../src/audio/index.js';
import { until } from '../../sim/mic-sim.js';
import { PageBoard } from '../../sim/page-board.js';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Pictures for people, where a folder is named. */
const pictures = process.env['KIKITORI_PICTURES'];
const token = 'a-token-for-this-test-alone';
/** Generous: the machine may be busy. */
const waitMs = 90_000;

const skip = existsSync(executablePath)
  ? false
  : `no browser at ${executablePath}: scripts/page-test installs it`;

const launch = async () =>
  chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    timeout: waitMs,
  });

void t.test('the page on a phone and on a desk', { skip, timeout: 600_000 }, async (t) => {
  const board = await PageBoard.start({ token });
  const browser = await launch();
  t.teardown(async () => {
    await browser.close();
    await board.remove();
  });
  const faults: string[] = [];
  const open = async (width: number, height: number, colorScheme: 'light' | 'dark') => {
    const context = await browser.newContext({
      viewport: { width, height },
      deviceScaleFactor: 2,
      colorScheme,
    });
    context.setDefaultTimeout(waitMs);
    const page = await context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(board.url)) faults.push(`asked ${request.url()}`);
    });
    await page.goto(board.url);
    return page;
  };
  const picture = async (page: Page, name: string) => {
    if (pictures === undefined) return;
    await mkdir(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, `${name}.png`) });
  };
  const fits = async (page: Page, what: string) =>
    t.ok(
      await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'),
      `${what}: nothing reaches over the side`,
    );

  const phone = await open(390, 844, 'light');
  await phone.fill('#token', 'wrong-wrong-wrong-wrong');
  await phone.getByRole('button', { name: 'Open', exact: true }).click();
  await phone.getByText('This is not the token.').waitFor();
  await picture(phone, 'token');
  faults.length = 0; // Chromium writes of the 401.
  await phone.fill('#token', token);
  await phone.getByRole('button', { name: 'Open', exact: true }).click();
  await phone.getByRole('status').getByText('Listening').waitFor();
  t.same(await phone.evaluate('document.cookie'), '', 'no script reads the session');

  // What is said appears, with its reason.
  await phone.getByText('Surroundings').waitFor();
  await board.say('turn on the hall light');
  await phone.locator('.utterance .text', { hasText: 'turn on the hall light' }).waitFor();
  await board.say('call the supervisor');
  await phone.locator('.utterance .text', { hasText: 'call the supervisor' }).waitFor();
  await board.say('stop the conveyor');
  const first = phone.locator('.utterance').first();
  await first.locator('.text', { hasText: 'stop the conveyor' }).waitFor();
  await first.locator('summary').click();
  await first.getByText('Was it this sentence?').waitFor();
  await first.getByText(/Accepted, \d+ % sure/).waitFor();
  await board.say('percent red minus');
  await until('a refusal', async () => (await phone.locator('.utterance').count()) === 4);
  t.equal(await phone.locator('.utterance.accepted').count(), 3);
  t.equal(
    await phone.locator('.utterance details[open]').count(),
    1,
    'what was opened stays open when more comes',
  );
  await picture(phone, 'live');
  await fits(phone, 'live');
  const small = await phone.evaluate(
    `[...document.querySelectorAll('nav button, .buttons button, summary')]
      .filter((e) => e.getBoundingClientRect().height < 44).length`,
  );
  t.equal(small, 0, 'everything to touch is at least 44 px high');

  // Mute and hear again.
  await phone.getByRole('button', { name: 'Mute', exact: true }).click();
  await phone.getByRole('status').getByText('Muted').waitFor();
  await board.daemon.event('mic.muted');
  await phone.getByRole('button', { name: 'Hear again' }).click();
  await phone.getByRole('status').getByText('Listening').waitFor();

  // A sentence that works, and one that does not.
  await phone.getByRole('button', { name: 'Try', exact: true }).click();
  await phone.fill('#sentence', 'start the conveyor');
  await phone.getByRole('button', { name: 'Check', exact: true }).click();
  await phone.getByText('Yes, it works.').waitFor();
  await phone.getByText('K AH N V EY ER', { exact: false }).waitFor();
  await phone.locator('.alike', { hasText: '“stop”' }).first().waitFor();
  await picture(phone, 'try');
  await phone.fill('#sentence', 'turn on the door');
  await phone.getByRole('button', { name: 'Check', exact: true }).click();
  await phone.getByText('No, the sentences do not allow it.').waitFor();
  await phone.getByText('After “turn on the” comes “door”').waitFor();
  await picture(phone, 'try-not');
  await fits(phone, 'try');

  // The sentences: a fault at its line, then right ones.
  await phone.getByRole('button', { name: 'Sentences', exact: true }).click();
  await phone.locator('#grammar').waitFor();
  const before = await phone.locator('#grammar').inputValue();
  const lines = before.split('\n');
  lines[2] = lines[2]?.replace('stop [the] conveyor', 'stop [the conveyor') ?? '';
  await phone.fill('#grammar', lines.join('\n'));
  await phone.getByRole('button', { name: 'Save', exact: true }).click();
  await phone.getByText('Not saved: one fault.').waitFor();
  await phone.getByRole('button', { name: 'Line 3' }).waitFor();
  await phone.locator('.gutter b', { hasText: '✕3' }).waitFor();
  await picture(phone, 'sentences');
  await fits(phone, 'sentences');
  t.equal(await readFile(board.daemon.grammarPath, 'utf8'), before, 'the file is as it was');
  await phone.fill('#grammar', before.replace('stop [the] conveyor', '(stop|slow) [the] conveyor'));
  await phone.getByRole('button', { name: 'Save', exact: true }).click();
  await phone.getByText('Saved and in use').waitFor();
  t.match(await readFile(board.daemon.grammarPath, 'utf8'), '(stop|slow)');
  t.equal(await readFile(`${board.daemon.grammarPath}.before`, 'utf8'), before);
  await board.hears('slow conveyor', 'ConveyorStop');

  await phone.getByRole('button', { name: 'Device', exact: true }).click();
  await phone.getByRole('button', { name: 'Self-test' }).click();
  await phone.getByText('its own test sentence.').waitFor();
  await picture(phone, 'device');
  await fits(phone, 'device');
  // The smallest phone that is still sold.
  await phone.setViewportSize({ width: 320, height: 568 });
  for (const name of ['Live', 'Try', 'Sentences', 'Device']) {
    await phone.getByRole('button', { name, exact: true }).click();
    await fits(phone, `${name} at 320 px`);
  }

  const desk = await open(1280, 900, 'dark');
  await desk.fill('#token', token);
  await desk.getByRole('button', { name: 'Open', exact: true }).click();
  await desk.locator('.utterance').first().waitFor();
  await picture(desk, 'desk');
  await fits(desk, 'desk');
  t.same(faults, [], 'no error in the console, nothing asked from elsewhere');

  // The board goes away and comes back.
  await board.daemon.child.kill();
  await phone.getByRole('status').getByText('Not connected').waitFor();
  await picture(phone, 'lost');
});

void t.test('the model that ships: all three questions', { skip, timeout: 600_000 }, async (t) => {
  const board = await PageBoard.start({ shipped: true });
  const browser = await launch();
  t.teardown(async () => {
    await browser.close();
    await board.remove();
  });
  const page = await browser.newPage({
    viewport: { width: 390, height: 800 },
    deviceScaleFactor: 1.5,
  });
  page.setDefaultTimeout(waitMs);
  await page.goto(board.url);
  await page.getByRole('status').getByText('Listening').waitFor();
  const utterances = page.locator('.utterance');
  const folder = fileURLToPath(new URL('../../../demo/audio/', import.meta.url));
  for (const [i, name] of ['03', '05', '01'].entries()) {
    const wav = parseWav(await readFile(join(folder, `${name}.wav`)), name);
    const samples = wav.channels[0] ?? new Float32Array(0);
    const quiet = new Float32Array(wav.rateHz / 2).map((_, at) => 1e-4 * Math.sin(at * at));
    await board.mic.say(new Float32Array([...quiet, ...samples, ...quiet]));
    await until(`${name} is heard`, async () => (await utterances.count()) > i);
  }
  await utterances.last().locator('.text', { hasText: 'turn on the workshop lights' }).waitFor();
  await utterances.nth(1).locator('.text', { hasText: 'No command' }).waitFor();
  await utterances.first().locator('summary').click();
  const questions = await utterances.first().locator('.part b').allTextContents();
  t.same(questions, [
    'Was that clear speech?',
    'Was it this sentence?',
    'Was it this command, and no other?',
  ]);
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, 'page.png') });
});
