/** Processor time of all threads of this process so far, ms. What it does not count is waiting for others. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
