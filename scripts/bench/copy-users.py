"""What one would write with Python, for users: pymongo, and one text COPY of psycopg. Started as `python copy-users.py`.

The table is there, without its key. MONGO_URL, POSTGRES_URL and TABLE say from where and to where; the database is `DATABASE`.
"""

import os

import psycopg
import pymongo

COLUMNS = ["_id", "id", "username", "email", "age", "createdAt"]


def rows(collection):
    for user in collection.find(batch_size=10_000):
        yield str(user["_id"]), *(user[column] for column in COLUMNS[1:])


def main():
    table, database = os.environ["TABLE"], os.environ["DATABASE"]
    columns = ", ".join(f'"{column}"' for column in COLUMNS)
    options = {"tz_aware": True}
    with pymongo.MongoClient(os.environ["MONGO_URL"], **options) as mongo:
        with psycopg.connect(os.environ["POSTGRES_URL"]) as connection:
            with connection.cursor() as cursor:
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in rows(mongo[database][table]):
                        copy.write_row(row)
                cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (_id)")
                cursor.execute(f"ANALYZE {table}")


if __name__ == "__main__":
    main()
