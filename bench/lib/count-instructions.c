/*
 * A plugin for qemu's user mode: how many instructions the program has executed, all its threads together, written to
 * the file named by `to=` whenever it asks for the priority of a process that cannot exist, number 1258291200 (0x4b000000)
 * and a mark: one line "MARK INSTRUCTIONS". For scripts/arm-test.
 *   gcc -shared -fPIC -O2 -DPLUGIN_VERSION=1 -o count-instructions.so count-instructions.c
 *   qemu-aarch64 -plugin count-instructions.so,to=FILE,call=141 PROGRAM
 * What it uses of qemu-plugin.h stands here, because Debian 12 has no package with it: these six functions are the same
 * in versions 1 to 4 of the interface. PLUGIN_VERSION: the one of the qemu at hand, 1 for 7.2.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { no_registers = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;

/* Each thread counts for itself: qemu runs them at once. */
enum { threads_max = 1024, cache_line = 64, first_mark = 0x4b000000, marks = 0x1000000 };
static struct { uint64_t count; char apart[cache_line - sizeof(uint64_t)]; } thread[threads_max];
static FILE *to;
static int64_t getpriority_number = -1;

static void executed(unsigned index, void *instructions) { thread[index % threads_max].count += (uintptr_t)instructions; }

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
  qemu_plugin_register_vcpu_tb_exec_cb(block, executed, no_registers, (void *)qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned index, int64_t number, uint64_t which, uint64_t who, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  if (number != getpriority_number || who < first_mark || who >= first_mark + marks) return;
  uint64_t sum = 0;
  for (int i = 0; i < threads_max; i++) sum += thread[i].count;
  fprintf(to, "%u %llu\n", (unsigned)(who - first_mark), (unsigned long long)sum);
  fflush(to);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *qemu, int argc, char **argv) {
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "to=", 3) == 0) to = fopen(argv[i] + 3, "we");
    if (strncmp(argv[i], "call=", 5) == 0) getpriority_number = atoll(argv[i] + 5);
  }
  if (to == NULL || getpriority_number < 0) {
    fprintf(stderr, "count-instructions: expected to=FILE,call=NUMBER\n");
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
