"""What clients do with a table, by boto3. Argument: the endpoint, signed with KEY and SECRET."""

import sys
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]


def resource(key="KEY", secret="SECRET"):
    return boto3.resource(
        "dynamodb", endpoint_url=ENDPOINT, region_name="local",
        aws_access_key_id=key, aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1, "mode": "standard"}),
    )


def fails(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as error:
        assert error.response["Error"]["Code"] == kind, error
        return error
    raise AssertionError(f"no {kind}")


def make(name, sort_type="N"):
    return resource().create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "artist", "KeyType": "HASH"},
                   {"AttributeName": "year", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "artist", "AttributeType": "S"},
                              {"AttributeName": "year", "AttributeType": sort_type}],
    )


def tables():
    fails("ResourceNotFoundException", resource().Table("music").load)
    music = make("music")
    music.wait_until_exists()
    fails("ResourceInUseException", make, "music")
    make("other", "S")
    client = resource().meta.client
    assert client.list_tables()["TableNames"] == ["music", "other"]
    first = client.list_tables(Limit=1)
    assert first["TableNames"] == ["music"] and first["LastEvaluatedTableName"] == "music"
    rest = client.list_tables(ExclusiveStartTableName="music")
    assert rest["TableNames"] == ["other"]
    assert music.key_schema[1]["AttributeName"] == "year"
    return music


def items(music):
    song = {"artist": "Ann }{", "year": 1999, "title": "One", "tags": {"a", "b"}, "raw": b"\0\xff",
            "nested": {"list": [1, "two", None, True]}, "price": Decimal("1.50")}
    music.put_item(Item=song)
    key = {"artist": "Ann }{", "year": 1999}
    found = music.get_item(Key=key, ConsistentRead=True)["Item"]
    assert found == song, found
    assert "Item" not in music.get_item(Key={"artist": "Ann", "year": 1}, ConsistentRead=True)
    one = music.get_item(Key=key, ConsistentRead=True, ProjectionExpression="title")["Item"]
    assert one == {"title": "One"}
    fails("ValidationException", music.put_item, Item={"artist": "no year"})
    fails("ValidationException", music.put_item, Item={"artist": "x", "year": "text"})
    fails("ValidationException", music.get_item, Key={"artist": "x"})
    long = {"artist": "x", "year": 1, "text": "y" * (400 * 1024)}
    fails("ValidationException", music.put_item, Item=long)

    new = music.update_item(
        Key=key, UpdateExpression="SET title = :t, price = price + :p REMOVE nested ADD plays :one",
        ExpressionAttributeValues={":t": "Two", ":p": Decimal("0.5"), ":one": 1},
        ReturnValues="ALL_NEW")["Attributes"]
    assert (new["title"], new["price"], new["plays"], "nested" in new) == ("Two", 2, 1, False), new
    some = music.update_item(Key=key, UpdateExpression="ADD plays :one", ReturnValues="UPDATED_NEW",
                             ExpressionAttributeValues={":one": 4})["Attributes"]
    assert some == {"plays": 5}, some
    fails("ValidationException", music.update_item, Key=key, UpdateExpression="SET #y = :one",
          ExpressionAttributeNames={"#y": "year"}, ExpressionAttributeValues={":one": 4})
    fails("ValidationException", music.update_item, Key=key, UpdateExpression="ADD title :one",
          ExpressionAttributeValues={":one": 4})

    absent = Attr("artist").not_exists()
    fails("ConditionalCheckFailedException", music.put_item, Item=song, ConditionExpression=absent)
    assert music.get_item(Key=key, ConsistentRead=True)["Item"]["title"] == "Two"
    fresh = {"artist": "Bob", "year": 1}
    music.put_item(Item=fresh, ConditionExpression=absent)
    is_two = Attr("title").eq("Two") & Attr("plays").gte(5)
    music.put_item(Item=song, ConditionExpression=is_two)
    fails("ConditionalCheckFailedException", music.delete_item, Key=key, ConditionExpression=is_two)
    old = music.delete_item(Key=key, ReturnValues="ALL_OLD")["Attributes"]
    assert old == song
    assert "Item" not in music.get_item(Key=key, ConsistentRead=True)
    music.delete_item(Key=key)
    music.delete_item(Key=fresh)


def queries(music):
    years = [-2000, -1, 0, Decimal("0.5"), 1, 9, 10, 100, 1999]
    for artist in ["Ann", "Bob", "Ann}"]:
        for year in reversed(years):
            music.put_item(Item={"artist": artist, "year": year, "even": year % 2 == 0})

    def ask(condition, **more):
        more = {"ConsistentRead": True, **more}
        return music.query(KeyConditionExpression=Key("artist").eq("Ann") & condition, **more)

    def found(condition, **more):
        return [item["year"] for item in ask(condition, **more)["Items"]]

    everything = music.query(KeyConditionExpression=Key("artist").eq("Ann"), ConsistentRead=True)
    assert [item["year"] for item in everything["Items"]] == years
    year = Key("year")
    assert found(year.eq(9)) == [9]
    assert found(year.lt(0)) == [-2000, -1]
    assert found(year.lte(0)) == [-2000, -1, 0]
    assert found(year.gt(10)) == [100, 1999]
    assert found(year.gte(10)) == [10, 100, 1999]
    assert found(year.between(-1, 1)) == [-1, 0, Decimal("0.5"), 1]
    assert found(year.between(5, 4)) == []
    assert found(year.gt(10), ScanIndexForward=False) == [1999, 100]
    even = ask(year.gte(9), FilterExpression=Attr("even").eq(True))
    assert [item["year"] for item in even["Items"]] == [10, 100]
    assert (even["Count"], even["ScannedCount"]) == (2, 4)
    assert ask(year.gte(9), Select="COUNT")["Count"] == 4

    for forward in [True, False]:
        paged, start = [], {}
        while True:
            page = ask(year.gt(-3000), Limit=4, ScanIndexForward=forward, **start)
            paged += [item["year"] for item in page["Items"]]
            assert len(page["Items"]) <= 4
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        assert paged == (years if forward else years[::-1]), paged
    fails("ValidationException", music.query, KeyConditionExpression=Key("year").eq(1))

    names = resource().Table("other")
    for name in ["a", "ab", "abc", "b"]:
        names.put_item(Item={"artist": "x", "year": name})
    begins = Key("artist").eq("x") & Key("year").begins_with("ab")
    items = names.query(KeyConditionExpression=begins, ConsistentRead=True)["Items"]
    assert [item["year"] for item in items] == ["ab", "abc"]


def deletions(music):
    music.delete()
    fails("ResourceNotFoundException", music.get_item, Key={"artist": "Ann", "year": 1})
    fails("ResourceNotFoundException", music.delete)
    music = make("music")
    mine = music.query(KeyConditionExpression=Key("artist").eq("Ann"), ConsistentRead=True)
    assert mine["Count"] == 0, "items of a deleted table came back"


def strangers():
    fails("UnrecognizedClientException", resource(key="OTHER").Table("music").load)
    fails("InvalidSignatureException", resource(secret="WRONG").Table("music").load)


music = tables()
items(music)
queries(music)
deletions(music)
strangers()
print("all well")
