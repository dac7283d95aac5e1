/** The pictures of docs/home-assistant.md, made anew from a real Home Assistant in Debian's Chromium. */
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { HomeAssistant } from './home-assistant.js';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** The frontend has no event for "all is drawn". */
const settleMs = 4000;
const limitMs = 120_000;

export async function pictures(home: HomeAssistant, folder: string): Promise<void> {
  const device = await home.template("{{ device_id('event.kitchen_command') }}");
  const trigger = (await home.triggers(device)).find(({ subtype }) => subtype === 'LightOn');
  await home.request('config/automation/config/by_device', {
    alias: 'By device',
    triggers: [trigger],
    actions: [{ action: 'light.turn_on', target: { entity_id: 'light.hall' } }],
  });
  // Else it leads to its first steps.
  const client = `${home.base}/`;
  await home.request('onboarding/analytics', {});
  await home.request('onboarding/integration', { client_id: client, redirect_uri: client });
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const context = await browser.newContext();
    const login = {
      ...{ hassUrl: home.base, clientId: client, access_token: home.token },
      ...{ token_type: 'Bearer', refresh_token: '', expires_in: 1800 },
      expires: Date.now() + 1_800_000,
    };
    await context.addInitScript(`localStorage.hassTokens = ${JSON.stringify(JSON.stringify(login))};
      localStorage.dockedSidebar = '"always_hidden"';`);
    const page = await context.newPage();
    for (const [address, shown, name, width, height] of [
      [`config/devices/device/${device}`, 'Last command', 'device', 665, 1640],
      ['config/automation/edit/by_device', 'spoken', 'trigger', 1100, 640],
    ] as const) {
      // Wider than the picture of the device: it has two columns then, and an empty third.
      await page.setViewportSize({ width: Math.max(width, 1000), height });
      await page.goto(`${home.base}/${address}`);
      await page.getByText(shown).first().waitFor({ timeout: limitMs });
      await page.waitForTimeout(settleMs);
      const path = join(folder, `home-assistant-${name}.png`);
      await page.screenshot({ path, clip: { x: 0, y: 0, width, height } });
    }
  } finally {
    await browser.close();
  }
}
