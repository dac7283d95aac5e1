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
  const address = `${home.base}/`;
  await home.request('onboarding/analytics', {});
  await home.request('onboarding/integration', { client_id: address, redirect_uri: address });
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const context = await browser.newContext();
    const login = {
      ...{ hassUrl: home.base, clientId: address, access_token: home.token },
      ...{ token_type: 'Bearer', refresh_token: '', expires_in: 1800 },
      expires: Date.now() + 1_800_000,
    };
    await context.addInitScript(`localStorage.hassTokens = ${JSON.stringify(JSON.stringify(login))};
      localStorage.dockedSidebar = '"always_hidden"';`);
    const page = await context.newPage();
    for (const [path, shown, name, width, height] of [
      [`config/devices/device/${device}`, 'Last command', 'device', 1000, 1240],
      ['config/automation/edit/by_device', 'spoken', 'trigger', 1100, 640],
    ] as const) {
      await page.setViewportSize({ width, height });
      await page.goto(`${home.base}/${path}`);
      await page.getByText(shown).first().waitFor({ timeout: limitMs });
      await page.waitForTimeout(settleMs);
      await page.screenshot({ path: join(folder, `home-assistant-${name}.png`) });
    }
  } finally {
    await browser.close();
  }
}
