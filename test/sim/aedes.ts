import { createServer, type AddressInfo } from 'node:net';
import { Aedes, type AedesOptions } from 'aedes';
import type { Test } from 'tap';

/** The address of aedes, a broker that knows MQTT 3.1.1 alone; it ends with the test. */
export async function aedesFor(t: Test, options: AedesOptions = {}): Promise<string> {
  const broker = await Aedes.createBroker(options);
  const server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    broker.close();
    server.close();
  });
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
