/** home-assistant: the device and its grammar in, what Home Assistant shows of it out. */
export { HomeAssistant } from './home-assistant.js';
