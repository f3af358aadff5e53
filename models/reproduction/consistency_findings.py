"""What the printed figures say about each other, without any data."""


def model(dbt, session):
    from rapport.consistency import consistency_table

    printed_figures = dbt.ref("printed_figures")
    return consistency_table(printed_figures.df())
