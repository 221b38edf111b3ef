"""The screens: a Streamlit program that knows the appliance only through its API."""
