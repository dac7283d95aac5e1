/** Read before anything else of this folder is loaded. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What Home Assistant was told of this device; no file, nothing. */
export const announcedPath = (stateDir: string) => join(stateDir, 'home-assistant.json');

/** Switched off it still has to be taken away there. */
export const isAnnounced = (stateDir: string) => existsSync(announcedPath(stateDir));
