/** Placeholder for the embedded MongoDB server, which is written on another branch with this signature. */

export interface MongoServer {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

export function startMongoServer(options: {
  dataDir?: string;
  port?: number;
  onWarning?: (message: string) => void;
}): Promise<MongoServer> {
  return Promise.reject(
    new Error(`the embedded MongoDB server is not part of this build (${Object.keys(options).join()})`),
  );
}
