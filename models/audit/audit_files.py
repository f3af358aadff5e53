"""Checks the part files' own schema before any model reads them."""


def model(dbt, session):
    from rapport.audit import check_files

    build = dbt.ref("build")
    declared_columns = dbt.ref("declared_columns")
    part_files = dbt.ref("part_files")
    reading_plan = dbt.ref("reading_plan")
    return check_files(session, build.df(), declared_columns.df(), part_files.df(), reading_plan.df())
