/** Commands about the server and the connection, which drivers send before they request data. */
import { decodeDocument } from '../decode.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { maxMessageBytes } from '../wire/message.ts';
import { maxDocumentBytes } from '../storage/stored-document.ts';
import { readSessionId } from '../replica-set/sessions.ts';
import { requireAdmin, succeed } from './command.ts';
import type { CommandContext } from './command.ts';
import type { Reply } from '../wire/message.ts';
import { waitFor } from '../wait.ts';

/** MongoDB 7.0: the version whose commands, as far as they go, are followed here. */
const version = '7.0.0';
const maxWireVersion = 21;

/**
 * Sessions are supported as a real server does: drivers send an `lsid` with each command. The reply also says which
 * state of the server this is, and a client that knows it already may wait for the next, repeatedly.
 */
export async function hello(context: CommandContext): Promise<Reply> {
  const { command, connection, server } = context;
  const client = command.document('client');
  if (client !== undefined) {
    connection.appName = client.document('application')?.string('name');
  }
  await awaitChange(context);
  const isHello = command.name === 'hello';
  return succeed({
    ...(command.boolean('helloOk') === true ? { helloOk: true } : {}),
    [isHello ? 'isWritablePrimary' : 'ismaster']: server.replicaSet?.isPrimary ?? true,
    ...server.replicaSet?.describe(),
    maxBsonObjectSize: maxDocumentBytes,
    maxMessageSizeBytes: maxMessageBytes,
    maxWriteBatchSize: 100_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId: connection.id,
    minWireVersion: 0,
    maxWireVersion,
    readOnly: false,
    topologyVersion: server.topologyVersion.describe(),
    ...server.hello,
  });
}

/** As long as the client waits at most, or until the state is another than the one it knows. */
async function awaitChange({ command, connection, server }: CommandContext): Promise<void> {
  const { topologyVersion } = server;
  const known = command.rawDocument('topologyVersion');
  const maxAwaitMs = command.count('maxAwaitTimeMS');
  if (known === undefined || maxAwaitMs === undefined) {
    return;
  }
  const { processId, counter } = decodeDocument(known);
  if (topologyVersion.isCurrent(processId, connection.toldTopology ?? Number(counter))) {
    await waitFor((wake) => topologyVersion.onChange(wake), maxAwaitMs, connection.ended);
  }
  connection.toldTopology = topologyVersion.counter;
}

export function ping({ command }: CommandContext): Reply {
  command.refuseUnknown([]);
  return succeed();
}

export function buildInfo({ command }: CommandContext): Reply {
  command.refuseUnknown([]);
  return succeed({
    version,
    versionArray: [7, 0, 0, 0],
    gitVersion: 'none',
    modules: ['mongo2pg embedded server, not MongoDB'],
    bits: 64,
    debug: false,
    maxBsonObjectSize: maxDocumentBytes,
  });
}

export function connectionStatus({ command }: CommandContext): Reply {
  command.refuseUnknown(['showPrivileges']);
  return succeed({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] } });
}

/** No parameter can be read: the reply is mongod's to a parameter it does not have. */
export function getParameter(): Reply {
  throw new CommandError(ErrorCode.invalidOptions, 'no option found to get');
}

/** There are no users: the reply is mongod's to an unknown user, with or without authentication. */
export function saslStart(): Reply {
  throw new CommandError(ErrorCode.authenticationFailed, 'Authentication failed.');
}

/** Of a session only its last retryable write is kept. */
export function endSessions({ command, server }: CommandContext): Reply {
  command.refuseUnknown([]);
  for (const session of command.required('endSessions', command.array('endSessions'))) {
    server.retryableWrites.end(readSessionId(session));
  }
  return succeed();
}

export function configureFailPoint(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown(['mode', 'data']);
  const { failPoints, replicaSetFaults, replicaSet } = server;
  return succeed({ count: failPoints.configure(command, replicaSetFaults, replicaSet?.oplog) });
}

/** A member of a set of one steps down only by force: no other can take over, until it is elected again. */
export function replSetStepDown(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown(['secondaryCatchUpPeriodSecs', 'force']);
  const { replicaSet } = server;
  if (replicaSet === undefined) {
    throw new CommandError(ErrorCode.noReplicationEnabled, 'not running with --replSet');
  }
  if (!replicaSet.isPrimary) {
    throw new CommandError(ErrorCode.notWritablePrimary, "not primary so can't step down");
  }
  if (command.boolean('force') !== true) {
    throw new CommandError(
      ErrorCode.exceededTimeLimit,
      'No electable secondaries caught up. Please use the replSetStepDown command with the argument {force: true} to force node to step down.',
    );
  }
  const seconds = command.count('replSetStepDown') ?? 60;
  server.replicaSetFaults.rollBack();
  replicaSet.stepDown(seconds * 1000);
  return succeed();
}

/** Of 0 seconds: it may be elected again, and at once is, as the only member. */
export function replSetFreeze(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown([]);
  if (command.count('replSetFreeze') === 0) {
    server.replicaSet?.becomePrimary();
  }
  return succeed();
}
