/*
 * command: the subcommands of weirctl. Each takes the arguments from its own name on and returns
 * an exit code (enum tool_exit).
 */
#ifndef WEIRCTL_COMMAND_H
#define WEIRCTL_COMMAND_H

int command_status(int argc, char **argv);
int command_anomalies(int argc, char **argv);
int command_dump(int argc, char **argv);
int command_tail(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_emit(int argc, char **argv);
int command_config(int argc, char **argv);

#endif
