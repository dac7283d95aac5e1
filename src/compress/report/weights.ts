import { constantNode, DataType } from '../import/proto.js';
import { ForeignModel } from '../import/model.js';

/** Numbers that a network holds: floats and bytes of every graph in it, single values apart. */
export function weightsOf(bytes: Uint8Array): number {
  const types = [DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE, DataType.UINT8, DataType.INT8];
  const { scopes } = ForeignModel.parse(bytes, 'network');
  let sum = 0;
  for (const { initializers, nodes } of scopes) {
    const constants = nodes.flatMap((n) => constantNode(n) ?? []);
    for (const { dims, dataType } of [...initializers.values(), ...constants]) {
      const count = (dims ?? []).reduce<number>((a, b) => a * Number(b), 1);
      if (count > 1 && types.includes(dataType ?? 0)) sum += count;
    }
  }
  return sum;
}
