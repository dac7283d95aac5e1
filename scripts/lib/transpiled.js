// Loaded before each test file (package.json, "tap"): see transpiled-hooks.js.
import { register } from 'node:module';

// Where tap measures coverage its own loader stays in charge: it must see what is loaded.
if (process.env._TAPJS_PROCESSINFO_COVERAGE_ !== '1')
  register('./transpiled-hooks.js', import.meta.url);
