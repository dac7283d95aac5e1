// Loaded before each test file (package.json, "tap"): see transpiled-hooks.js.
import { register } from 'node:module';

register('./transpiled-hooks.js', import.meta.url);
