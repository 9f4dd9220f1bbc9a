"""What every page needs: who looks, how it is drawn, what it asks of other services, what is new."""
