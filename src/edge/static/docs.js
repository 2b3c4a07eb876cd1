// validatorUrl null: Swagger UI would otherwise ask validator.swagger.io about the description.
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });
