"""Lists and hashes the part files of the export."""


def model(dbt, session):
    from rapport.audit import list_part_files

    build = dbt.ref("build")
    declared_columns = dbt.ref("declared_columns")
    return list_part_files(build.df(), declared_columns.df()["table_name"].unique())
