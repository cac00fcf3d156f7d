"""Counts in several partitions while the nodes change, impatiently. Argument: the endpoint.

Says "begun" when a node may be stopped, and goes on for as many counts. Every count must have taken effect
once, however often it was sent."""

import sys

import boto3
from botocore.config import Config

PARTITIONS, COUNTS = 24, 600

client = boto3.client(
    "dynamodb", endpoint_url=sys.argv[1], region_name="local",
    aws_access_key_id="any", aws_secret_access_key="any",
    config=Config(read_timeout=0.2, retries={"max_attempts": 100, "mode": "standard"}),
)
client.create_table(
    TableName="counters", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
)
retries = 0
for count in range(COUNTS):
    if count == COUNTS // 3:
        print("begun", flush=True)
        sys.stdin.readline()
    answer = client.update_item(
        TableName="counters", Key={"id": {"S": f"counter-{count % PARTITIONS}"}},
        UpdateExpression="ADD hits :one", ExpressionAttributeValues={":one": {"N": "1"}},
    )
    retries += answer["ResponseMetadata"]["RetryAttempts"]
hits = 0
for partition in range(PARTITIONS):
    key = {"id": {"S": f"counter-{partition}"}}
    item = client.get_item(TableName="counters", Key=key, ConsistentRead=True)["Item"]
    hits += int(item["hits"]["N"])
print(hits, retries)
