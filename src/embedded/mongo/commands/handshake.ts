/** Commands about the server and the connection: what drivers ask before they ask for data. */
import { CommandError, ErrorCode } from '../errors.ts';
import { maxMessageBytes } from '../message.ts';
import { maxDocumentBytes } from '../stored-document.ts';
import { requireAdmin, succeed } from './command.ts';
import type { CommandContext } from './command.ts';
import type { Reply } from '../message.ts';

/** MongoDB 7.0: the version whose commands, as far as they go, are followed here. */
const version = '7.0.0';
const maxWireVersion = 21;

/**
 * A standalone that supports sessions, as a real standalone does: drivers then send an `lsid` with each command, and
 * code that opens sessions runs here as it does there. Nothing is kept for them. A hello that names the `topologyVersion`
 * was held open before (see `dispatch.ts`), and is answered again and again when the client takes that.
 */
export function hello(context: CommandContext): Reply {
  const { command, connection, request, server } = context;
  const client = command.document('client');
  if (client !== undefined) {
    connection.appName = client.document('application')?.string('name');
  }
  const isHello = command.name === 'hello';
  const reply = succeed({
    ...(command.boolean('helloOk') === true ? { helloOk: true } : {}),
    [isHello ? 'isWritablePrimary' : 'ismaster']: true,
    maxBsonObjectSize: maxDocumentBytes,
    maxMessageSizeBytes: maxMessageBytes,
    maxWriteBatchSize: 100_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId: connection.id,
    minWireVersion: 0,
    maxWireVersion,
    readOnly: false,
    topologyVersion: server.topologyVersion,
    ...server.hello,
  });
  const isMoreToCome = request.isExhaustAllowed && command.has('maxAwaitTimeMS');
  return { ...reply, isMoreToCome };
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

/** There are no users, and mongod answers so to one that it does not know, whether it asks for passwords or not. */
export function saslStart(): Reply {
  throw new CommandError(ErrorCode.authenticationFailed, 'Authentication failed.');
}

/** Sessions are accepted and not kept: there is nothing to end. */
export function endSessions({ command }: CommandContext): Reply {
  command.refuseUnknown([]);
  command.required('endSessions', command.array('endSessions'));
  return succeed();
}

export function configureFailPoint(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown(['mode', 'data']);
  return succeed({ count: server.failPoints.configure(command) });
}
